"""Managed clusters of an estate with their node pools and maintenance windows. Pure."""

import ipaddress
from collections.abc import Mapping
from typing import Any

from azrunbook import estate
from azrunbook.resources import identity, model, monitoring, network, references

# Pods that may run anywhere stay off the system pool, as AKS advises.
_SYSTEM_TAINT = "CriticalAddonsOnly=true:NoSchedule"
_MAX_PODS = 110
_MAX_NODE_GROUP = 80
_MAX_SURGE = "33%"
_OUTBOUND = {"load_balancer": "loadBalancer", "nat_gateway": "userAssignedNATGateway"}
# What may happen in a maintenance window, in AKS's own names of the configurations.
_WINDOWS = ("aksManagedAutoUpgradeSchedule", "aksManagedNodeOSUpgradeSchedule")


def is_stopped(body: Mapping[str, Any]) -> bool:
    """Whether a cluster, as Azure has it, is stopped: then it cannot be asked what it holds."""
    return ((body.get("properties") or {}).get("powerState") or {}).get("code") == "Stopped"


def list_clusters(
    declared: estate.Estate, subscription_id: str
) -> tuple[model.DesiredResource, ...]:
    """One cluster per region, then what is made on it; tag ``role`` says primary or secondary."""
    clusters = {
        role: _cluster(declared, subscription_id, role, region)
        for role, region in declared.regions.items()
    }
    ids = {str(role): one.id for role, one in clusters.items()}
    windows = [
        window for cluster in clusters.values() for window in _maintenance(declared, cluster)
    ]
    return (
        *clusters.values(),
        *windows,
        *identity.list_federations(declared, subscription_id, ids),
    )


def cluster_id(declared: estate.Estate, subscription_id: str, region: estate.Region) -> str:
    return model.resource_id(
        subscription_id, region.resource_group, model.CLUSTER, declared.cluster.name
    )


def node_group(declared: estate.Estate, region: estate.Region) -> str:
    """Where AKS keeps what it makes for a cluster: its nodes, load balancers, link services."""
    return f"MC_{region.resource_group}_{declared.cluster.name}_{region.location}"[:_MAX_NODE_GROUP]


def _cluster(
    declared: estate.Estate, subscription_id: str, role: str, region: estate.Region
) -> model.DesiredResource:
    cluster = declared.cluster
    plane = identity.control_plane_id(declared, subscription_id, region)
    roles = [
        one.id
        for one in identity.list_cluster_roles(declared, subscription_id)
        if one.region == region.location
    ]
    properties: dict[str, Any] = {
        "kubernetesVersion": cluster.kubernetes_version,
        "supportPlan": cluster.support_plan,
        "dnsPrefix": cluster.dns_prefix,
        "enableRBAC": True,
        "disableLocalAccounts": not cluster.local_accounts,
        "oidcIssuerProfile": {"enabled": True},
        "securityProfile": {"workloadIdentity": {"enabled": True}},
        "autoUpgradeProfile": {
            "upgradeChannel": cluster.auto_upgrade,
            "nodeOSUpgradeChannel": "NodeImage",
        },
        "identityProfile": {"kubeletidentity": _kubelet(declared, subscription_id, region)},
        "networkProfile": _network_profile(cluster),
        "agentPoolProfiles": [_pool(pool, region, subscription_id) for pool in declared.node_pools],
    }
    workspaces = [one.id for one in monitoring.list_workspaces(declared, subscription_id)]
    properties |= _options(cluster, workspaces)
    return model.describe(
        cluster_id(declared, subscription_id, region),
        model.CLUSTER,
        region=region.location,
        body={
            "location": region.location,
            "tags": {**declared.tags, "role": role},
            "identity": {"type": "UserAssigned", "userAssignedIdentities": {plane: {}}},
            "sku": {"name": "Base", "tier": cluster.tier},
            "properties": properties,
        },
        depends_on=(network.network_id(subscription_id, region), plane, *roles, *workspaces),
    )


def _options(cluster: estate.Cluster, workspaces: list[str]) -> dict[str, Any]:
    """Sign-in by Entra ID, and the logs' way to the workspace, where the estate has them."""
    found: dict[str, Any] = {}
    if cluster.entra is not None:
        found["aadProfile"] = {
            "managed": True,
            "enableAzureRBAC": cluster.entra.azure_rbac,
            "adminGroupObjectIDs": list(cluster.entra.admin_groups),
        }
    if workspaces:
        config = {"logAnalyticsWorkspaceResourceID": workspaces[0], "useAADAuth": "true"}
        found["addonProfiles"] = {"omsagent": {"enabled": True, "config": config}}
    return found


def _kubelet(
    declared: estate.Estate, subscription_id: str, region: estate.Region
) -> dict[str, str]:
    """The identity that nodes pull images as; AKS wants all three of its names."""
    kubelet = identity.kubelet_id(declared, subscription_id, region)
    return {
        "resourceId": kubelet,
        "clientId": references.reference(kubelet, "properties.clientId"),
        "objectId": references.reference(kubelet, "properties.principalId"),
    }


def _maintenance(
    declared: estate.Estate, cluster: model.DesiredResource
) -> list[model.DesiredResource]:
    window = declared.cluster.maintenance
    if window is None:
        return []
    schedule = {"weekly": {"intervalWeeks": 1, "dayOfWeek": window.day}}
    return [
        model.describe(
            f"{cluster.id}/maintenanceConfigurations/{name}",
            model.MAINTENANCE,
            region=cluster.region,
            body={
                "properties": {
                    "maintenanceWindow": {
                        "schedule": schedule,
                        "durationHours": window.duration_hours,
                        "utcOffset": "+00:00",
                        "startTime": window.start_time,
                    }
                }
            },
            depends_on=(cluster.id,),
        )
        for name in _WINDOWS
    ]


def _network_profile(cluster: estate.Cluster) -> dict[str, Any]:
    """Overlay: pods have addresses of their own, so that a /24 of nodes is not full with eight."""
    return {
        "networkPlugin": "azure",
        "networkPluginMode": "overlay",
        "networkDataplane": "cilium",
        "networkPolicy": "cilium",
        "podCidr": cluster.pod_cidr,
        "serviceCidr": cluster.service_cidr,
        # AKS wants an address inside the service range that is not its first.
        "dnsServiceIP": str(ipaddress.ip_network(cluster.service_cidr)[10]),
        "loadBalancerSku": "standard",
        "outboundType": _OUTBOUND[cluster.outbound],
    }


def _pool(pool: estate.NodePool, region: estate.Region, subscription_id: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "name": pool.name,
        "count": pool.count,
        "vmSize": pool.vm_size,
        "mode": pool.mode,
        "osType": "Linux",
        "osSKU": "AzureLinux",
        "type": "VirtualMachineScaleSets",
        "vnetSubnetID": network.node_subnet_id(subscription_id, region),
        "maxPods": _MAX_PODS,
        "upgradeSettings": {"maxSurge": _MAX_SURGE},
    }
    if pool.autoscale is not None:
        body |= {
            "enableAutoScaling": True,
            "minCount": pool.autoscale.min_count,
            "maxCount": pool.autoscale.max_count,
        }
    if region.zones:
        body["availabilityZones"] = list(region.zones)
    if pool.mode == "System":
        body["nodeTaints"] = [_SYSTEM_TAINT]
    return body
