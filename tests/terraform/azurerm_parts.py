"""What azurerm has a resource for, and Azure a property of another one."""

import arm_documents
import arm_requests
from engine_parity import find


def _associate(owner, path, other):
    def set_link(values, value):
        with arm_requests.lock_of(values[owner]):
            body = arm_requests.get(values[owner])
            if body is not None:
                arm_documents.put_at(body, path, value and {"id": value})
                arm_requests.change("PUT", values[owner], body)

    def read_link(state):
        link = find(arm_requests.get(state["id"]), f"{path}.id")
        return link and {
            **state,
            owner: arm_documents.keep(state[owner], state["id"]),
            other: arm_documents.keep(state[other], link),
        }

    return {
        "id": lambda values: values[owner],
        "create": lambda values: set_link(values, values[other]),
        "read": read_link,
        "delete": lambda values: set_link(values, None),
    }


def _set_address(values, *, is_there):
    gateway, address = values["nat_gateway_id"], values["public_ip_address_id"]
    with arm_requests.lock_of(gateway):
        body = arm_requests.get(gateway)
        others = find(body, "properties.publicIpAddresses") or []
        others = [one for one in others if one["id"].lower() != address.lower()]
        body["properties"]["publicIpAddresses"] = others + ([{"id": address}] if is_there else [])
        arm_requests.change("PUT", gateway, body)


def _read_address(state):
    gateway, address = state["id"].split("|")
    held = find(arm_requests.get(gateway), "properties.publicIpAddresses") or []
    if address.lower() in {one["id"].lower() for one in held}:
        return {**state, "nat_gateway_id": gateway, "public_ip_address_id": address}
    return None


def _members(id_):
    geo = find(arm_requests.get(f"{id_}/databases/default"), "properties.geoReplication") or {}
    linked = [one["id"].rpartition("/databases/")[0] for one in geo.get("linkedDatabases") or []]
    return geo.get("groupNickname"), [one for one in linked if one.lower() != id_.lower()]


def _link(values):
    first = values["managed_redis_id"]
    group, _ = _members(first)
    for other in values["linked_managed_redis_ids"]:
        pair = [{"id": f"{one}/databases/default"} for one in (first, other)]
        geo = {"geoReplication": {"groupNickname": group, "linkedDatabases": pair}}
        arm_requests.change("POST", f"{other}/databases/default/forceLinkToReplicationGroup", geo)


def _unlink(values):
    _, others = _members(values["managed_redis_id"])
    ids = {"ids": [f"{one}/databases/default" for one in others]}
    arm_requests.change("POST", f"{values['managed_redis_id']}/databases/default/forceUnlink", ids)


def _read_links(state):
    if arm_requests.get(f"{state['id']}/databases/default") is None:
        return None
    linked = arm_documents.keep(state["linked_managed_redis_ids"], _members(state["id"])[1])
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
