"""What one resource of azurerm's makes in Azure besides itself, and how it reads that back."""

import base64

import arm_documents
import arm_requests
import azurerm_words as words
from engine_parity import find


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
            f"{id_}/maintenanceConfigurations/{name}": arm_documents.write(
                words.WINDOW, values[block][0], {}
            )
            for block, name in WINDOWS.items()
            if values[block]
        }
    return {}


WINDOWS = {
    "maintenance_window_auto_upgrade": "aksManagedAutoUpgradeSchedule",
    "maintenance_window_node_os": "aksManagedNodeOSUpgradeSchedule",
}


def make_database(own, values):
    body = arm_documents.write(words.DATABASE, values, {"properties": {"port": 10000}})
    if geo := body["properties"].get("geoReplication"):
        there = arm_requests.get(own)
        members = find(there, "properties.geoReplication.linkedDatabases")
        geo["linkedDatabases"] = [{"id": one["id"]} for one in members or [{"id": own}]]
    return body


def change_children(kind, before, values, id_):
    old = list_children(kind, before, id_) if before else {}
    new = list_children(kind, values, id_)
    for child in old.keys() - new.keys():
        arm_requests.change("DELETE", child)
    for child, body in new.items():
        if old.get(child) != body:
            arm_requests.change("PUT", child, body)


def show_children(kind, block, state, body):
    id_ = state["id"]
    if kind == "azurerm_container_registry":
        show_replications(block, state, body)
    elif kind == "azurerm_private_endpoint":
        # Named as the estate names it; azurerm asks for the list.
        group = arm_requests.get(f"{id_}/privateDnsZoneGroups/default")
        zones = [
            one["properties"]["privateDnsZoneId"]
            for one in find(group, "properties.privateDnsZoneConfigs") or []
        ]
        one = {
            **arm_documents.blank(block["blocks"]["private_dns_zone_group"]),
            "name": "default",
        }
        found = [{**one, "id": group["id"], "private_dns_zone_ids": zones}] if group else []
        state["private_dns_zone_group"] = arm_documents.keep(state["private_dns_zone_group"], found)
        state["private_service_connection"][0]["is_manual_connection"] = False
    elif kind == "azurerm_managed_redis":
        database = arm_requests.get(f"{id_}/databases/default")
        state["default_database"] = state["default_database"] if database else []
        if database:
            inner = block["blocks"]["default_database"]
            state["default_database"] = state["default_database"] or [arm_documents.blank(inner)]
            arm_documents.show(words.DATABASE, inner, state["default_database"][0], database)
            state["default_database"][0] |= {"id": database["id"], "port": 10000}
    elif kind == "azurerm_kubernetes_cluster":
        show_cluster(block, state, body)


def show_replications(block, state, body):
    found = []
    before = {one["location"]: one for one in state["georeplications"]}
    for one in (arm_requests.get(f"{state['id']}/replications") or {}).get("value", []):
        location = one["location"].replace(" ", "").lower()
        if location != body["location"].replace(" ", "").lower():
            kept = before.get(location) or {
                **arm_documents.blank(block["blocks"]["georeplications"]),
                "location": location,
                "global_endpoint_routing_enabled": True,
            }
            found.append({**kept, "tags": arm_documents.keep(kept["tags"], one.get("tags"))})
    state["georeplications"] = found


def show_cluster(block, state, body):
    pools = body["properties"]["agentPoolProfiles"]
    name = (state["default_node_pool"] or [{}])[0].get("name")
    system = [one for one in pools if one["mode"] == "System"]
    first = next((one for one in pools if one["name"] == name), system[0])
    inner = block["blocks"]["default_node_pool"]
    state["default_node_pool"] = state["default_node_pool"] or [arm_documents.blank(inner)]
    arm_documents.show(words.FIRST_POOL, inner, state["default_node_pool"][0], first)
    for part, configuration in WINDOWS.items():
        found = arm_requests.get(f"{state['id']}/maintenanceConfigurations/{configuration}")
        state[part] = state[part] if found else []
        if found:
            inner = block["blocks"][part]
            state[part] = state[part] or [{**arm_documents.blank(inner), "frequency": "Weekly"}]
            arm_documents.show(words.WINDOW, inner, state[part][0], found)
    if not state["local_account_disabled"]:
        found = arm_requests.change("POST", f"{state['id']}/listClusterUserCredential")
        state["kube_config_raw"] = base64.b64decode(found["kubeconfigs"][0]["value"]).decode()
