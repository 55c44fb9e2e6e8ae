"""Roles, databases and parameters of a flexible server, as Azure sets them up. SQL only.

An administrator is no superuser: ``azure_pg_admin`` may create roles and databases and see what is
going on. Names and passwords are quoted, and a password goes in as its verifier.
"""

from azrunbook.sandbox.data import errors, postgres_server, scram

_ADMINS = "azure_pg_admin"
# Of the server, not of a person: changing these would take the replication away.
_FIXED = frozenset(
    {"listen_addresses", "unix_socket_directories", "primary_conninfo", "primary_slot_name",
     "hot_standby", "wal_level", "fsync", "wal_log_hints", "port", "data_directory"}
)  # fmt: skip
Server = postgres_server.PostgresServer


async def prepare(server: Server) -> None:
    """Create the groups that every server has."""
    await server.query(
        f"create role {_ADMINS} nologin; create role {postgres_server.ENTRA_GROUP} nologin;"
        f" grant pg_monitor, pg_signal_backend, pg_read_all_settings to {_ADMINS}"
        f" with admin option; alter database postgres owner to {_ADMINS}"
    )


async def ensure_administrator(server: Server, login: str, password: str) -> None:
    """Create the administrator, or give it this password."""
    if not await _exists(server, login):
        await server.query(
            f'create role :"login" login createrole createdb in role {_ADMINS}', login=login
        )
    verifier = scram.make_verifier(password)
    await server.query("alter role :\"login\" password :'verifier'", login=login, verifier=verifier)


async def ensure_principal(server: Server, principal: str) -> None:
    """Create a role that logs in with a token of Entra, with an administrator's rights."""
    if not await _exists(server, principal):
        await server.query(
            'create role :"name" login createrole createdb'
            f" in role {_ADMINS}, {postgres_server.ENTRA_GROUP}",
            name=principal,
        )


async def _exists(server: Server, role: str) -> bool:
    return bool(await server.query("select 1 from pg_roles where rolname = :'name'", name=role))


async def list_databases(server: Server) -> list[str]:
    """Return the databases that a person can use."""
    sql = "select datname from pg_database where not datistemplate order by datname"
    return [row[0] for row in await server.query(sql)]


async def ensure_database(server: Server, database: str) -> None:
    """Create a database that administrators own."""
    if database not in await list_databases(server):
        await server.query(f'create database :"name" owner {_ADMINS}', name=database)


async def drop_database(server: Server, database: str) -> None:
    """Drop a database, sessions and all."""
    await server.query('drop database if exists :"name" with (force)', name=database)


async def set_parameter(server: Server, name: str, value: str) -> bool:
    """Set a server parameter; the server judges the value.

    Returns:
        Whether it takes effect only after a restart.

    Raises:
        DataError: no such parameter, a value that it does not take, or not a person's to change.
    """
    if name in _FIXED:
        raise errors.DataError(
            "ParameterValueNotAllowed", f"the server parameter {name} cannot be changed"
        )
    await server.query("alter system set :\"name\" = :'value'", name=name, value=value)
    await server.reload()
    found = await server.query("select context from pg_settings where name = :'name'", name=name)
    return found == [["postmaster"]]


async def get_parameter(server: Server, name: str) -> str:
    """Return a parameter's value in effect, with its unit.

    Raises:
        DataError: no such parameter.
    """
    return (await server.query("select current_setting(:'name')", name=name))[0][0]
