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

import copy

import arm_calls
import arm_documents
import arm_requests
import azurerm_children
import azurerm_parts
import azurerm_words as words
import stand_in_ids


def make_body(kind, values, config, body):
    """Lay what a resource says over what is there; on a creation, also what is said only then."""
    is_new = not body
    body |= copy.deepcopy(words.ALWAYS.get(kind, {}))
    arm_documents.write(words.list_rows(kind), values, body)
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
    arm_documents.write(words.FIRST_POOL, first, profile)
    if profile.get("enableAutoScaling") and profile.get("count") is None:
        profile["count"] = profile["minCount"]
    if values["oms_agent"]:
        body["properties"]["addonProfiles"]["omsagent"]["enabled"] = True
    if values["azure_active_directory_role_based_access_control"]:
        body["properties"]["aadProfile"]["managed"] = True
    body["sku"]["name"] = "Base"


def create(kind, block, values, config):
    if kind in azurerm_parts.PARTS:
        part = azurerm_parts.PARTS[kind]
        state = {**values, "id": part["id"](values)}
        if kind != "azurerm_managed_redis_geo_replication" and part["read"](dict(state)):
            raise arm_calls.ArmError(say_exists(kind, state["id"]))
        part["create"](values)
        return part["read"](state)
    id_ = stand_in_ids.find(kind, values)
    with arm_requests.lock_of(id_):
        if arm_requests.get(id_) is not None:
            raise arm_calls.ArmError(say_exists(kind, id_))
        body = make_body(kind, values, config, {})
        if kind == "azurerm_kubernetes_cluster_node_pool" and body["properties"].get("minCount"):
            body["properties"].setdefault("count", body["properties"]["minCount"])
        arm_requests.change("PUT", id_, body)
        azurerm_children.change_children(kind, None, values, id_)
        return read(kind, block, {**values, "id": id_})


def say_exists(kind, id_):
    return (
        f"A resource with the ID {id_!r} already exists - to be managed via Terraform this "
        f"resource needs to be imported into the State. Please see the resource documentation "
        f"for {kind!r} for more information."
    )


def read(kind, block, state):
    """The state as Azure has it now, or None when it is gone."""
    if kind in azurerm_parts.PARTS:
        return azurerm_parts.PARTS[kind]["read"](dict(state))
    id_ = state["id"]
    body = arm_requests.get(id_)
    if body is None:
        return None
    found = copy.deepcopy(state)
    for name, value in stand_in_ids.parse(kind, id_).items():
        found[name] = arm_documents.keep(found.get(name), value)
    arm_documents.show([*words.list_rows(kind), *words.SHOWN.get(kind, ())], block, found, body)
    azurerm_children.show_children(kind, block, found, body)
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
    if kind in azurerm_parts.PARTS:
        azurerm_parts.PARTS[kind]["create"](values)
        return azurerm_parts.PARTS[kind]["read"](values)
    id_ = before["id"]
    with arm_requests.lock_of(id_):
        if before.get("administrator_password_wo_version") == values.get(
            "administrator_password_wo_version"
        ):
            config = {}
        arm_requests.change("PUT", id_, make_body(kind, values, config, arm_requests.get(id_)))
        azurerm_children.change_children(kind, before, values, id_)
        return read(kind, block, {**values, "id": id_})


def delete(kind, state):
    if kind in azurerm_parts.PARTS:
        azurerm_parts.PARTS[kind]["delete"](state)
        return
    with arm_requests.lock_of(state["id"]):
        if kind == "azurerm_resource_group":
            held = (arm_requests.get(f"{state['id']}/resources") or {}).get("value", [])
            if held:
                names = ", ".join(one["id"] for one in held)
                raise arm_calls.ArmError(
                    f"deleting Resource Group {state['name']!r}: the Resource Group still contains "
                    f"Resources: {names}"
                )
        arm_requests.change("DELETE", state["id"])


def take_in(kind, block, id_):
    """What an import knows: the id."""
    first, _, second = id_.partition("|")
    state = {
        **arm_documents.blank(block),
        "id": id_ if kind in azurerm_parts.PARTS else first,
    }
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
    fixed |= (
        set(stand_in_ids.parse(kind, prior["id"])) if kind not in azurerm_parts.PARTS else set()
    )
    if kind.endswith("_association"):
        fixed = set(planned)
    return [
        name
        for name in sorted(fixed & planned.keys() - {"id"})
        if arm_documents.canonical(prior.get(name)) != arm_documents.canonical(planned[name])
    ]


def apply(kind, block, prior, planned, config):
    if planned is None:
        return delete(kind, prior)
    if prior is None:
        return create(kind, block, planned, config)
    return update(kind, block, prior, planned, config)
