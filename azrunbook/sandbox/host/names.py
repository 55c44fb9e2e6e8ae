"""What pods find by name: each cluster's table, from the private DNS that ARM holds.

Reads ARM's documents and writes one file per cluster; what the table holds is decided in
``data.names``. A cluster's network is that of its first node pool's subnet; one without a subnet
of its own is linked to no private zone.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from azrunbook.sandbox.arm import paths, store as arm_store
from azrunbook.sandbox.data import names

_CLUSTER = "Microsoft.ContainerService/managedClusters"
_POOL = f"{_CLUSTER}/agentPools"
_ENDPOINT = "Microsoft.Network/privateEndpoints"
_LINK = "Microsoft.Network/privateDnsZones/virtualNetworkLinks"
_RECORD = "Microsoft.Network/privateDnsZones/A"
_PUBLIC = (
    "Microsoft.DBforPostgreSQL/flexibleServers",
    "Microsoft.Cache/redisEnterprise",
    "Microsoft.Cache/redis",
    "Microsoft.Storage/storageAccounts",
)
_CHANGING = ("microsoft.network/private", "microsoft.dbforpostgresql/", "microsoft.cache/",
             "microsoft.storage/", _CLUSTER.lower())  # fmt: skip


class NameTables:
    """Writes the tables into a folder; ``services`` are public host names and their addresses."""

    def __init__(self, folder: Path, services: Callable[[], dict[str, str]]) -> None:
        self._folder = folder
        self._services = services
        self._store: arm_store.Store | None = None
        self._clusters: dict[str, Path] = {}

    def follow(self, store: arm_store.Store) -> None:
        """Write the tables anew after each change of what they are made of."""
        self._store = store
        store.subscribe(self._notice)

    def find_path(self, cluster_id: str) -> Path:
        """Return where the table of a cluster is; it is kept up from now on."""
        cluster = paths.parse(cluster_id)
        path = self._folder / f"{cluster.group}-{cluster.name}.json".lower()
        self._clusters[cluster.key] = path
        self._folder.mkdir(parents=True, exist_ok=True)
        self.write()
        return path

    def _notice(self, _kind: str, _resource_id: str, resource_type: str) -> None:
        if resource_type.lower().startswith(_CHANGING):
            self.write()

    def write(self) -> None:
        """Write every table."""
        for cluster_id, path in self._clusters.items():
            partial = path.with_suffix(".partial")
            partial.write_text(json.dumps(self._build(cluster_id), indent=2))
            partial.replace(path)

    def _build(self, cluster_id: str) -> dict[str, str]:
        if self._store is None:
            return {}
        return names.build_table(
            records=dict(self._list_records(cluster_id)),
            endpoints=dict(self._list_endpoints()),
            services=self._services(),
            public_hosts=[*self._list_public()],
        )

    def _list_records(self, cluster_id: str) -> Iterator[tuple[str, list[str]]]:
        network = self._find_network(cluster_id)
        for link in self._list(_LINK):
            if str(link["properties"]["virtualNetwork"]["id"]).lower() != network:
                continue
            zone = paths.parse(link["id"]).parent
            for record in self._list(_RECORD, below=zone):
                label = "" if record["name"] == "@" else f"{record['name']}."
                addresses = [one["ipv4Address"] for one in record["properties"]["aRecords"]]
                yield f"{label}{zone.name}", addresses

    def _find_network(self, cluster_id: str) -> str:
        pools = self._list(_POOL, below=paths.parse(cluster_id))
        subnets = [str(pool["properties"].get("vnetSubnetID") or "").lower() for pool in pools]
        return next((one.partition("/subnets/")[0] for one in subnets if one), "")

    def _list_endpoints(self) -> Iterator[tuple[str, str]]:
        for endpoint in self._list(_ENDPOINT):
            for config in endpoint["properties"].get("customDnsConfigs") or []:
                for address in config["ipAddresses"]:
                    yield str(address), str(config["fqdn"])

    def _list_public(self) -> Iterator[str]:
        for kind in _PUBLIC:
            for service in self._list(kind):
                properties = service["properties"]
                access = properties.get("network", properties).get("publicNetworkAccess")
                host = properties.get("fullyQualifiedDomainName") or properties.get("hostName")
                if endpoints := properties.get("primaryEndpoints"):
                    host = str(endpoints["blob"]).removeprefix("https://").rstrip("/")
                if access == "Enabled" and host:
                    yield str(host)

    def _list(self, kind: str, *, below: paths.ResourceId | None = None) -> list[dict[str, Any]]:
        return [] if self._store is None else self._store.list_by_type(kind, below=below)
