"""Data services on addresses of their own, with their own authority and supervisor."""

import contextlib
import ipaddress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from azrunbook.sandbox import processes, tls
from azrunbook.sandbox.data import postgres, postgres_model
from azrunbook.sandbox.host import addresses

PASSWORD = "correct horse's battery"
PROVIDERS = "/subscriptions/s/resourceGroups/rg/providers"


@dataclass
class Ground:
    """What a data service stands on."""

    folder: Path
    authority: tls.Authority
    supervisor: processes.Supervisor
    network: ipaddress.IPv4Network

    @property
    def ca(self):
        return str(self.folder / "ca.pem")

    @property
    def options(self):
        return {
            "folder": self.folder / "services",
            "authority": self.authority,
            "supervisor": self.supervisor,
            "network": self.network,
        }


@pytest.fixture
async def ground(tmp_path):
    """A folder, an authority, a supervisor that ends everything, and addresses."""
    block = addresses.claim_block()
    supervisor = processes.Supervisor()
    await supervisor.start()
    authority = tls.Authority()
    (tmp_path / "ca.pem").write_bytes(authority.certificate_pem)
    network = ipaddress.IPv4Network(f"{block.address(3, 0)}/24")
    yield Ground(tmp_path, authority, supervisor, network)
    await supervisor.stop()
    block.release()


@pytest.fixture
def password():
    """Of every server's administrator."""
    return PASSWORD


def server_id(name):
    return f"{PROVIDERS}/Microsoft.DBforPostgreSQL/flexibleServers/{name}"


@dataclass
class Estate:
    """Flexible servers, and psycopg as their clients use it: by name, verifying."""

    servers: postgres.FlexibleServers
    ca: str

    async def create(self, name="pg-east", location="eastus"):
        await self.servers.create_server(
            postgres_model.ServerRequest(server_id(name), location, "pgadmin", PASSWORD)
        )
        return server_id(name)

    async def replicate(self, source, name="pg-west", location="westus2"):
        await self.servers.create_replica(
            postgres_model.ReplicaRequest(server_id(name), location, source)
        )
        return server_id(name)

    def options(self, host, **changes):
        """Connection parameters: the name for TLS, the address that the sandbox's DNS gives."""
        found = {
            "host": host,
            "hostaddr": self.servers.list_names()[host],
            "dbname": "postgres",
            "user": "pgadmin",
            "password": PASSWORD,
            "sslmode": "verify-full",
            "sslrootcert": self.ca,
            "connect_timeout": 10,
            **changes,
        }
        return {key: value for key, value in found.items() if value is not None}

    @contextlib.asynccontextmanager
    async def connect(self, host="pg-east.postgres.database.azure.com", **changes):
        connection = await psycopg.AsyncConnection.connect(
            **self.options(host, **changes), autocommit=True
        )
        async with connection:
            yield connection

    async def run(self, sql, host="pg-east.postgres.database.azure.com", **changes):
        """Run one statement and return its rows, if it has any."""
        async with self.connect(host, **changes) as connection:
            cursor = await connection.execute(sql)
            return await cursor.fetchall() if cursor.description else []


@pytest.fixture
async def estate(ground):
    """No server yet; a token is the text 'valid token'."""
    servers = postgres.FlexibleServers(
        **ground.options, check_token=lambda token: token == "valid token"
    )
    yield Estate(servers, ground.ca)
    await servers.close()
