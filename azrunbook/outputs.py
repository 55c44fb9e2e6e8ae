"""What Azure knows about a provisioned estate that the next layers need: hosts, ports, keys.

Read from Azure each time, by GET and list-keys; kept in no file, so there is no state to leak and
none to go stale. A key or a connection string is a :class:`secrets.Secret`: registered before
anybody holds it, and not shown by ``repr``, ``str`` or JSON. The administrator's password of the
database is not among these, because Azure takes one and never says it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib import parse

from azrunbook import data_writer, errors, estate, resources, secrets
from azrunbook.resources import model

if TYPE_CHECKING:
    from azrunbook import arm

_POSTGRES_PORT = 5432
# The authorities that the machine trusts: Azure's certificates are signed by public ones.
_POSTGRES_TRUST = "sslmode=verify-full&sslrootcert=system"


@dataclass(frozen=True)
class Database:
    """Where a region's pods find PostgreSQL.

    Attributes:
        host: what they connect to: the writer's name, which a promotion moves, else the server.
        server: this region's own server, a replica in the secondary's; empty when it has none.
    """

    host: str
    server: str
    name: str
    user: str
    port: int = _POSTGRES_PORT

    def make_url(self, password: str) -> secrets.Secret:
        """The connection string for libpq, which then verifies the server's certificate."""
        secrets.register(password)
        login = f"{parse.quote(self.user)}:{parse.quote(password, safe='')}"
        where = f"{self.host}:{self.port}/{parse.quote(self.name)}"
        return secrets.Secret(f"postgresql://{login}@{where}?{_POSTGRES_TRUST}")


@dataclass(frozen=True)
class Cache:
    """Where a region's pods find Redis, over TLS.

    Managed caches of a group all take writes, so each region has its own; of two linked Premium
    caches only the primary's does, so both regions use that one.
    """

    host: str
    port: int
    key: secrets.Secret

    @property
    def url(self) -> secrets.Secret:
        key = parse.quote(self.key.reveal(), safe="")
        return secrets.Secret(f"rediss://:{key}@{self.host}:{self.port}/0")


@dataclass(frozen=True)
class Region:
    """One region's part; None and empty: the estate does not declare it."""

    location: str
    cluster_host: str
    database: Database | None
    cache: Cache | None
    blob_url: str


@dataclass(frozen=True)
class Outputs:
    """A provisioned estate, as those need it who come after."""

    public_host: str
    registry_host: str
    regions: Mapping[str, Region]

    def list_values(self) -> Iterator[tuple[str, str | secrets.Secret]]:
        """Everything by name: ``primary.redis_url``; what is not declared is left out."""
        yield "public_host", self.public_host
        yield "registry_host", self.registry_host
        for role, region in self.regions.items():
            for name, value in _list_region(region):
                if value:
                    yield f"{role}.{name}", value

    def as_dict(self) -> dict[str, str]:
        """Everything by name, secrets hidden."""
        return {name: str(value) for name, value in self.list_values()}

    def get(self, name: str) -> str | secrets.Secret:
        """Find one by its name.

        Raises:
            NotFoundError: there is none of this name; says which there are.
        """
        values = dict(self.list_values())
        if name not in values:
            raise errors.NotFoundError(f"no output '{name}': expected one of {', '.join(values)}")
        return values[name]


def _list_region(region: Region) -> Iterator[tuple[str, str | secrets.Secret]]:
    yield "location", region.location
    yield "cluster_host", region.cluster_host
    if region.database:
        yield "database_host", f"{region.database.host}:{region.database.port}"
        yield "database_server", region.database.server
        yield "database_name", region.database.name
        yield "database_user", region.database.user
    if region.cache:
        yield "redis_host", f"{region.cache.host}:{region.cache.port}"
        yield "redis_key", region.cache.key
        yield "redis_url", region.cache.url
    yield "blob_url", region.blob_url


def read(client: "arm.ArmClient", declared: estate.Estate, subscription_id: str) -> Outputs:
    """Ask Azure for the outputs of a provisioned estate.

    Raises:
        NotFoundError: a resource that the estate declares is not there, or not complete.
        ConnectError: no answer, or the credential is refused.
    """
    found = _Reader(client, declared, subscription_id)
    return Outputs(
        public_host=found.read(model.ENDPOINT, "", "hostName"),
        registry_host=found.read(model.REGISTRY, "", "loginServer"),
        regions={
            role: Region(
                location=region.location,
                cluster_host=found.read(model.CLUSTER, region.location, "fqdn"),
                database=found.read_database(region.location),
                cache=found.read_cache(region.location),
                blob_url=found.read_blob_url(region.location),
            )
            for role, region in declared.regions.items()
        },
    )


def read_data(
    client: "arm.ArmClient", declared: estate.Estate, subscription_id: str, location: str
) -> tuple[Database | None, Cache | None]:
    """Ask only for a region's database and cache; errors as :func:`read`."""
    found = _Reader(client, declared, subscription_id)
    return found.read_database(location), found.read_cache(location)


class _Reader:
    """Reads what the estate declares; each resource is asked for once."""

    def __init__(
        self, client: "arm.ArmClient", declared: estate.Estate, subscription_id: str
    ) -> None:
        self._arm = client
        self._estate = declared
        self._desired = data_writer.list_desired(client, declared, subscription_id)
        self._bodies: dict[str, Any] = {}

    def read(self, type_: str, location: str, path: str) -> str:
        return str(self._read(self._get(type_, location), path))

    def read_database(self, location: str) -> Database | None:
        settings = self._estate.postgres
        if settings is None:
            return None
        own = self._find(model.SERVER, location)
        endpoint = self._find(model.VIRTUAL_ENDPOINT, "")
        if endpoint:
            host = str(self._read(endpoint, "virtualEndpoints")[0])
        else:
            host = self.read(
                model.SERVER, self._estate.primary.location, "fullyQualifiedDomainName"
            )
        return Database(
            # Azure answers the label of a virtual endpoint, or the whole name.
            host=host if "." in host else f"{host}.postgres.database.azure.com",
            server=str(self._read(own, "fullyQualifiedDomainName")) if own else "",
            name=settings.database,
            user=settings.administrator,
        )

    def read_cache(self, location: str) -> Cache | None:
        settings = self._estate.redis
        if settings is None:
            return None
        if settings.kind == "managed":
            cluster = self._get(model.MANAGED_CACHE, location)
            keys = self._get(model.MANAGED_CACHE_DATABASE, location)
            port = self._read(keys, "port")
        else:
            cluster = keys = self._get(model.CACHE, self._estate.primary.location)
            port = self._read(cluster, "sslPort")
        answer = self._arm.post(f"{keys.id}/listKeys", keys.api_version)
        key = secrets.Secret(str(answer["primaryKey"]))
        return Cache(str(self._read(cluster, "hostName")), int(port), key)

    def read_blob_url(self, location: str) -> str:
        if self._estate.storage is None:
            return ""
        account = self._get(model.STORAGE, location)
        return str(self._read(account, "primaryEndpoints")["blob"])

    def _find(self, type_: str, location: str) -> resources.DesiredResource | None:
        found = (
            one
            for one in self._desired
            if one.type == type_ and (not location or one.region == location)
        )
        return next(found, None)

    def _get(self, type_: str, location: str) -> resources.DesiredResource:
        found = self._find(type_, location)
        if found is None:
            raise ValueError(f"no {type_} is declared in {location}. This is a bug. Please report.")
        return found

    def _read(self, one: resources.DesiredResource, name: str) -> Any:
        if one.id not in self._bodies:
            self._bodies[one.id] = self._arm.get(one.id, one.api_version)
        value = (self._bodies[one.id].get("properties") or {}).get(name)
        if not value:
            raise errors.NotFoundError(
                f"{one.path_name} has no {name} yet: expected it to be complete. "
                "azrunbook run 01_provision_estate"
            )
        return value
