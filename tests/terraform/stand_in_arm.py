"""azurerm's observable behaviour against a real Azure Resource Manager, without azurerm's code.

Made of the schema of azurerm 5.2.0 and of the two tables of words (engine_parity,
azurerm_words): a create PUTs the body that the rows give and waits, after having seen that there
is nothing yet, as azurerm does; a read GETs and turns the properties back into attributes; an
update lays the rows over what is there; what azurerm keeps inside another resource (first node
pool, replications, a database, a zone group, maintenance) is a request of its own. What azurerm
does not read stays as the state has it: nothing after an import.

So it proves the engine, the modules and the emulator against each other. It does not prove
azurerm: where azurerm validates, retries or reads otherwise than its documentation says, this
does not show it.
"""

import base64
import copy
import threading

import arm_calls
import azurerm_words as words
import stand_in_ids
from engine_parity import find

_locks = {}
_guard = threading.Lock()


def lock_of(id_):
    """One change at a time of a resource and its children, as azurerm locks networks and caches."""
    with _guard:
        return _locks.setdefault("/".join(id_.lower().split("/")[:9]), threading.RLock())


VERSIONS = {type_.lower(): version for type_, version in words.VERSIONS.items()}


def version_of(id_):
    """The api-version of a resource's type, or of its namespace; of a group where it has none."""
    parts = id_.lower().rpartition("/providers/")[2].split("/")
    type_ = "/".join(parts[:2])
    return VERSIONS.get(type_) or VERSIONS.get(parts[0]) or VERSIONS["microsoft.resources"]


def get(id_):
    return arm_calls.get(id_, version_of(id_))


def change(method, id_, body=None):
    return arm_calls.change(method, id_, version_of(id_), body)


# paths in documents


def put_at(document, path, value):
    """Lay a value at a dotted path; None takes away what is there."""
    *way, last = path.split(".")
    for part, following in zip(way, [*way, last][1:], strict=True):
        if isinstance(document, list):
            if len(document) <= int(part):
                if value is None:
                    return
                document.append({})
            document = document[int(part)]
            continue
        if document.get(part) is None:
            if value is None:
                return
            document[part] = [] if following.isdigit() else {}
        document = document[part]
    if value is None:
        document.pop(last, None)
    else:
        document[last] = value


def blank(block):
    """An object of the schema that says nothing."""
    return {
        **dict.fromkeys(block.get("attributes", {})),
        **{n: [] for n in block.get("blocks", {})},
    }


def show_at(block, state, attribute, value):
    """Lay what was read at an attribute; a block that is not there is made for a value only."""
    first, _, rest = attribute.partition(".")
    if not rest:
        state[first] = keep(state.get(first), value)
        return
    inner = block["blocks"][first]
    if not state.get(first):
        if value is None:
            return
        state[first] = [blank(inner)]
    show_at(inner, state[first][0], rest.partition(".")[2], value)


def keep(before, now):
    """What is the same to azurerm stays as it was spelled: letter case, order, nothing."""
    if now is None and before in (None, "", [], False):
        return before
    return before if canonical(before) == canonical(now) and before is not None else now


def canonical(value):
    if isinstance(value, str):
        return value.lower()
    if isinstance(value, dict):
        return {key: canonical(one) for key, one in value.items()}
    return sorted(map(canonical, value), key=str) if isinstance(value, list) else value


def write(rows, values, body):
    for attribute, path, word in rows:
        put_at(body, path, word.to(find(values, attribute)))
    return body


def show(rows, block, state, body):
    for attribute, path, word in rows:
        value = find(body, path)
        show_at(block, state, attribute, None if value is None else word.back(value))


# what one resource of azurerm's makes besides itself


def list_children(kind, values, id_):
    """Further resources with their bodies, by id."""
    if kind == "azurerm_container_registry":
        return {
            f"{id_}/replications/{one['location']}": {
                "location": one["location"], "tags": one["tags"] or {},
            }
            for one in values["georeplications"]
        }  # fmt: skip
    if kind == "azurerm_private_endpoint":
        return {
            f"{id_}/privateDnsZoneGroups/{one['name']}": {
                "properties": {
                    "privateDnsZoneConfigs": [
                        {"name": zone.rpartition("/")[2], "properties": {"privateDnsZoneId": zone}}
                        for zone in one["private_dns_zone_ids"]
                    ]
                }
            }
            for one in values["private_dns_zone_group"]
        }
    if kind == "azurerm_managed_redis":
        own = f"{id_}/databases/default"
        found = values["default_database"]
        return {own: make_database(own, found[0])} if found else {}
    if kind == "azurerm_kubernetes_cluster":
        return {
            f"{id_}/maintenanceConfigurations/{name}": write(words.WINDOW, values[block][0], {})
            for block, name in WINDOWS.items()
            if values[block]
        }
    return {}


WINDOWS = {
    "maintenance_window_auto_upgrade": "aksManagedAutoUpgradeSchedule",
    "maintenance_window_node_os": "aksManagedNodeOSUpgradeSchedule",
}


def make_database(own, values):
    body = write(words.DATABASE, values, {"properties": {"port": 10000}})
    if geo := body["properties"].get("geoReplication"):
        there = get(own)
        members = find(there, "properties.geoReplication.linkedDatabases")
        geo["linkedDatabases"] = [{"id": one["id"]} for one in members or [{"id": own}]]
    return body


def change_children(kind, before, values, id_):
    old = list_children(kind, before, id_) if before else {}
    new = list_children(kind, values, id_)
    for child in old.keys() - new.keys():
        change("DELETE", child)
    for child, body in new.items():
        if old.get(child) != body:
            change("PUT", child, body)


def show_children(kind, block, state, body):
    id_ = state["id"]
    if kind == "azurerm_container_registry":
        show_replications(block, state, body)
    elif kind == "azurerm_private_endpoint":
        # Named as the estate names it; azurerm asks for the list.
        group = get(f"{id_}/privateDnsZoneGroups/default")
        zones = [
            one["properties"]["privateDnsZoneId"]
            for one in find(group, "properties.privateDnsZoneConfigs") or []
        ]
        one = {**blank(block["blocks"]["private_dns_zone_group"]), "name": "default"}
        found = [{**one, "id": group["id"], "private_dns_zone_ids": zones}] if group else []
        state["private_dns_zone_group"] = keep(state["private_dns_zone_group"], found)
        state["private_service_connection"][0]["is_manual_connection"] = False
    elif kind == "azurerm_managed_redis":
        database = get(f"{id_}/databases/default")
        state["default_database"] = state["default_database"] if database else []
        if database:
            inner = block["blocks"]["default_database"]
            state["default_database"] = state["default_database"] or [blank(inner)]
            show(words.DATABASE, inner, state["default_database"][0], database)
            state["default_database"][0] |= {"id": database["id"], "port": 10000}
    elif kind == "azurerm_kubernetes_cluster":
        show_cluster(block, state, body)


def show_replications(block, state, body):
    found = []
    before = {one["location"]: one for one in state["georeplications"]}
    for one in (get(f"{state['id']}/replications") or {}).get("value", []):
        location = one["location"].replace(" ", "").lower()
        if location != body["location"].replace(" ", "").lower():
            kept = before.get(location) or {
                **blank(block["blocks"]["georeplications"]),
                "location": location,
                "global_endpoint_routing_enabled": True,
            }
            found.append({**kept, "tags": keep(kept["tags"], one.get("tags"))})
    state["georeplications"] = found


def show_cluster(block, state, body):
    pools = body["properties"]["agentPoolProfiles"]
    name = (state["default_node_pool"] or [{}])[0].get("name")
    system = [one for one in pools if one["mode"] == "System"]
    first = next((one for one in pools if one["name"] == name), system[0])
    inner = block["blocks"]["default_node_pool"]
    state["default_node_pool"] = state["default_node_pool"] or [blank(inner)]
    show(words.FIRST_POOL, inner, state["default_node_pool"][0], first)
    for part, configuration in WINDOWS.items():
        found = get(f"{state['id']}/maintenanceConfigurations/{configuration}")
        state[part] = state[part] if found else []
        if found:
            inner = block["blocks"][part]
            state[part] = state[part] or [{**blank(inner), "frequency": "Weekly"}]
            show(words.WINDOW, inner, state[part][0], found)
    if not state["local_account_disabled"]:
        found = change("POST", f"{state['id']}/listClusterUserCredential")
        state["kube_config_raw"] = base64.b64decode(found["kubeconfigs"][0]["value"]).decode()


# what azurerm has a resource for, and Azure a property of another one


def _associate(owner, path, other):
    def set_link(values, value):
        with lock_of(values[owner]):
            body = get(values[owner])
            if body is not None:
                put_at(body, path, value and {"id": value})
                change("PUT", values[owner], body)

    def read_link(state):
        link = find(get(state["id"]), f"{path}.id")
        return link and {
            **state,
            owner: keep(state[owner], state["id"]),
            other: keep(state[other], link),
        }

    return {
        "id": lambda values: values[owner],
        "create": lambda values: set_link(values, values[other]),
        "read": read_link,
        "delete": lambda values: set_link(values, None),
    }


def _set_address(values, *, is_there):
    gateway, address = values["nat_gateway_id"], values["public_ip_address_id"]
    with lock_of(gateway):
        body = get(gateway)
        others = find(body, "properties.publicIpAddresses") or []
        others = [one for one in others if one["id"].lower() != address.lower()]
        body["properties"]["publicIpAddresses"] = others + ([{"id": address}] if is_there else [])
        change("PUT", gateway, body)


def _read_address(state):
    gateway, address = state["id"].split("|")
    held = find(get(gateway), "properties.publicIpAddresses") or []
    if address.lower() in {one["id"].lower() for one in held}:
        return {**state, "nat_gateway_id": gateway, "public_ip_address_id": address}
    return None


def _members(id_):
    geo = find(get(f"{id_}/databases/default"), "properties.geoReplication") or {}
    linked = [one["id"].rpartition("/databases/")[0] for one in geo.get("linkedDatabases") or []]
    return geo.get("groupNickname"), [one for one in linked if one.lower() != id_.lower()]


def _link(values):
    first = values["managed_redis_id"]
    group, _ = _members(first)
    for other in values["linked_managed_redis_ids"]:
        pair = [{"id": f"{one}/databases/default"} for one in (first, other)]
        geo = {"geoReplication": {"groupNickname": group, "linkedDatabases": pair}}
        change("POST", f"{other}/databases/default/forceLinkToReplicationGroup", geo)


def _unlink(values):
    _, others = _members(values["managed_redis_id"])
    ids = {"ids": [f"{one}/databases/default" for one in others]}
    change("POST", f"{values['managed_redis_id']}/databases/default/forceUnlink", ids)


def _read_links(state):
    if get(f"{state['id']}/databases/default") is None:
        return None
    linked = keep(state["linked_managed_redis_ids"], _members(state["id"])[1])
    return {**state, "managed_redis_id": state["id"], "linked_managed_redis_ids": linked}


PARTS = {
    "azurerm_subnet_network_security_group_association": _associate(
        "subnet_id", "properties.networkSecurityGroup", "network_security_group_id"
    ),
    "azurerm_subnet_nat_gateway_association": _associate(
        "subnet_id", "properties.natGateway", "nat_gateway_id"
    ),
    "azurerm_nat_gateway_public_ip_association": {
        "id": lambda values: f"{values['nat_gateway_id']}|{values['public_ip_address_id']}",
        "create": lambda values: _set_address(values, is_there=True),
        "read": _read_address,
        "delete": lambda values: _set_address(values, is_there=False),
    },
    "azurerm_managed_redis_geo_replication": {
        "id": lambda values: values["managed_redis_id"],
        "create": _link,
        "read": _read_links,
        "delete": _unlink,
    },
}


# the four


def make_body(kind, values, config, body):
    """Lay what a resource says over what is there; on a creation, also what is said only then."""
    is_new = not body
    body |= copy.deepcopy(words.ALWAYS.get(kind, {}))
    write(words.list_rows(kind), values, body)
    if kind == "azurerm_kubernetes_cluster":
        write_cluster(values, body)
    elif kind == "azurerm_postgresql_flexible_server":
        properties = body["properties"]
        if is_new:
            properties["createMode"] = values["create_mode"]
            properties["sourceServerResourceId"] = values["source_server_id"]
        properties["administratorLoginPassword"] = config.get("administrator_password_wo")
    elif kind == "azurerm_cdn_frontdoor_security_policy":
        body["properties"]["parameters"]["type"] = "WebApplicationFirewall"
    elif kind == "azurerm_cdn_frontdoor_firewall_policy":
        body["properties"].setdefault("managedRules", {"managedRuleSets": []})
    body.setdefault("properties", {})
    return body


def write_cluster(values, body):
    first = values["default_node_pool"][0]
    profiles = body["properties"].setdefault("agentPoolProfiles", [])
    profile = next((one for one in profiles if one["name"] == first["name"]), None)
    if profile is None:
        profile = {"type": "VirtualMachineScaleSets", "osType": "Linux", "mode": "System"}
        profiles.append(profile)
    write(words.FIRST_POOL, first, profile)
    if profile.get("enableAutoScaling") and profile.get("count") is None:
        profile["count"] = profile["minCount"]
    if values["oms_agent"]:
        body["properties"]["addonProfiles"]["omsagent"]["enabled"] = True
    if values["azure_active_directory_role_based_access_control"]:
        body["properties"]["aadProfile"]["managed"] = True
    body["sku"]["name"] = "Base"


def create(kind, block, values, config):
    if kind in PARTS:
        part = PARTS[kind]
        state = {**values, "id": part["id"](values)}
        if kind != "azurerm_managed_redis_geo_replication" and part["read"](dict(state)):
            raise arm_calls.ArmError(say_exists(kind, state["id"]))
        part["create"](values)
        return part["read"](state)
    id_ = stand_in_ids.find(kind, values)
    with lock_of(id_):
        if get(id_) is not None:
            raise arm_calls.ArmError(say_exists(kind, id_))
        body = make_body(kind, values, config, {})
        if kind == "azurerm_kubernetes_cluster_node_pool" and body["properties"].get("minCount"):
            body["properties"].setdefault("count", body["properties"]["minCount"])
        change("PUT", id_, body)
        change_children(kind, None, values, id_)
        return read(kind, block, {**values, "id": id_})


def say_exists(kind, id_):
    return (
        f"A resource with the ID {id_!r} already exists - to be managed via Terraform this "
        f"resource needs to be imported into the State. Please see the resource documentation "
        f"for {kind!r} for more information."
    )


def read(kind, block, state):
    """The state as Azure has it now, or None when it is gone."""
    if kind in PARTS:
        return PARTS[kind]["read"](dict(state))
    id_ = state["id"]
    body = get(id_)
    if body is None:
        return None
    found = copy.deepcopy(state)
    for name, value in stand_in_ids.parse(kind, id_).items():
        found[name] = keep(found.get(name), value)
    show([*words.list_rows(kind), *words.SHOWN.get(kind, ())], block, found, body)
    show_children(kind, block, found, body)
    if kind == "azurerm_postgresql_flexible_server":
        found["administrator_password_wo_version"] = found["administrator_password_wo_version"] or 0
    elif kind == "azurerm_postgresql_flexible_server_virtual_endpoint":
        show_replica(state, found)
    return found


def show_replica(state, found):
    """A member's name, back as the id that the state has."""
    before = state["replica_server_id"] or ""
    is_same = before.rpartition("/")[2] == found["replica_server_id"]
    found["replica_server_id"] = before if is_same else found["replica_server_id"]


def update(kind, block, before, values, config):
    if kind in PARTS:
        PARTS[kind]["create"](values)
        return PARTS[kind]["read"](values)
    id_ = before["id"]
    with lock_of(id_):
        if before.get("administrator_password_wo_version") == values.get(
            "administrator_password_wo_version"
        ):
            config = {}
        change("PUT", id_, make_body(kind, values, config, get(id_)))
        change_children(kind, before, values, id_)
        return read(kind, block, {**values, "id": id_})


def delete(kind, state):
    if kind in PARTS:
        PARTS[kind]["delete"](state)
        return
    with lock_of(state["id"]):
        if kind == "azurerm_resource_group":
            held = (get(f"{state['id']}/resources") or {}).get("value", [])
            if held:
                names = ", ".join(one["id"] for one in held)
                raise arm_calls.ArmError(
                    f"deleting Resource Group {state['name']!r}: the Resource Group still contains "
                    f"Resources: {names}"
                )
        change("DELETE", state["id"])


def take_in(kind, block, id_):
    """What an import knows: the id."""
    first, _, second = id_.partition("|")
    state = {**blank(block), "id": id_ if kind in PARTS else first}
    if kind == "azurerm_postgresql_flexible_server_virtual_endpoint":
        state["replica_server_id"] = second.rpartition("/virtualEndpoints/")[0]
    return state


# what the protocol asks of it


def configure(_config):
    """The provider's block says nothing of where: the variables do."""


def complete(kind, prior, wanted):
    """A wanted state with what azurerm's schema fills in by itself."""
    given = {name: value for name, value in wanted.items() if value is not None}
    out = {**wanted, **words.DEFAULTS.get(kind, {}), **given}
    for owner, block in words.KEPT:
        if owner == kind and prior and not out[block]:
            out[block] = prior[block]
    return out


def list_replacing(kind, prior, planned):
    """Attributes that differ and cannot be changed in place."""
    fixed = {"name", "resource_group_name", "location", *words.FIXED.get(kind, ())}
    fixed |= set(stand_in_ids.parse(kind, prior["id"])) if kind not in PARTS else set()
    if kind.endswith("_association"):
        fixed = set(planned)
    return [
        name
        for name in sorted(fixed & planned.keys() - {"id"})
        if canonical(prior.get(name)) != canonical(planned[name])
    ]


def apply(kind, block, prior, planned, config):
    if planned is None:
        return delete(kind, prior)
    if prior is None:
        return create(kind, block, planned, config)
    return update(kind, block, prior, planned, config)
