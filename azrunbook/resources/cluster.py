"""Managed clusters of an estate with their node pools. Pure."""

import ipaddress
from typing import Any

from azrunbook import estate
from azrunbook.resources import model, network

# Pods that may run anywhere stay off the system pool, as AKS advises.
_SYSTEM_TAINT = "CriticalAddonsOnly=true:NoSchedule"
_MAX_PODS = 110
_MAX_SURGE = "33%"


def list_clusters(
    declared: estate.Estate, subscription_id: str
) -> tuple[model.DesiredResource, ...]:
    """One cluster per region; tag ``role`` says primary or secondary."""
    return tuple(
        _cluster(declared, subscription_id, role, region)
        for role, region in declared.regions.items()
    )


def cluster_id(declared: estate.Estate, subscription_id: str, region: estate.Region) -> str:
    return model.resource_id(
        subscription_id, region.resource_group, model.CLUSTER, declared.cluster.name
    )


def _cluster(
    declared: estate.Estate, subscription_id: str, role: str, region: estate.Region
) -> model.DesiredResource:
    cluster = declared.cluster
    return model.describe(
        cluster_id(declared, subscription_id, region),
        model.CLUSTER,
        region=region.location,
        body={
            "location": region.location,
            "tags": {**declared.tags, "role": role},
            "identity": {"type": "SystemAssigned"},
            "sku": {"name": "Base", "tier": cluster.tier},
            "properties": {
                "kubernetesVersion": cluster.kubernetes_version,
                "supportPlan": cluster.support_plan,
                "dnsPrefix": cluster.dns_prefix,
                "enableRBAC": True,
                # The runbook signs in with the cluster's own user certificate.
                "disableLocalAccounts": False,
                "oidcIssuerProfile": {"enabled": True},
                "securityProfile": {"workloadIdentity": {"enabled": True}},
                "networkProfile": _network_profile(cluster),
                "agentPoolProfiles": [
                    _pool(pool, region, subscription_id) for pool in declared.node_pools
                ],
            },
        },
        depends_on=(network.network_id(subscription_id, region),),
    )


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
        "outboundType": "loadBalancer",
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
    if region.zones:
        body["availabilityZones"] = list(region.zones)
    if pool.mode == "System":
        body["nodeTaints"] = [_SYSTEM_TAINT]
    return body
