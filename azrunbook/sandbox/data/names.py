"""What the names of data services resolve to inside a virtual network. Pure.

In Azure a public name (``pg.postgres.database.azure.com``) is an alias of the same name under
``privatelink``. A network that is linked to the private zone finds a record for that there: the
address of a private endpoint. Anybody else gets the public address, where a service without public
access refuses. Here a private address leads nowhere, so the table gives for each name the loopback
address of the service behind the endpoint, and a service that cannot be reached has no name.
"""

from collections.abc import Collection, Mapping

_DOMAINS = (
    "postgres.database.azure.com",
    "redis.azure.net",
    "redis.cache.windows.net",
    "blob.core.windows.net",
)


def build_table(
    *,
    records: Mapping[str, Collection[str]],
    endpoints: Mapping[str, str],
    services: Mapping[str, str],
    public_hosts: Collection[str] = (),
) -> dict[str, str]:
    """Return the loopback address of each name, in lower case.

    Args:
        records: A records of the private zones that the network is linked to: name to addresses.
        endpoints: the public host name behind each private endpoint's address.
        services: the loopback address of each public host name; a virtual endpoint's name has the
            address of the server that it leads to now.
        public_hosts: host names of the services with public access.
    """
    known = {_normal(host): address for host, address in services.items()}
    private = {}
    for name, addresses in records.items():
        for address in addresses:
            target = known.get(_normal(endpoints.get(address, "")))
            if target is not None:
                private[_normal(name)] = target
    reachable = {known[host] for host in map(_normal, public_hosts) if host in known}
    reachable |= {private[alias] for alias in map(add_private_link, known) if alias in private}
    public = {host: address for host, address in known.items() if address in reachable}
    return {**private, **public}


def add_private_link(host: str) -> str:
    """Return the name under ``privatelink`` that a public name is an alias of."""
    for domain in _DOMAINS:
        if host.endswith(f".{domain}"):
            return f"{host.removesuffix(domain)}privatelink.{domain}"
    return host


def _normal(name: str) -> str:
    return name.rstrip(".").lower()
