"""Starts a server with a busy session, says which processes there are, and waits to be killed."""

import asyncio
import ipaddress
import sys
from pathlib import Path

import psutil

from azrunbook.sandbox import processes, tls
from azrunbook.sandbox.data import postgres, postgres_model


async def main(folder, network):
    supervisor = processes.Supervisor()
    await supervisor.start()
    options = {
        "folder": Path(folder),
        "network": ipaddress.IPv4Network(network),
        "authority": tls.Authority(),
        "supervisor": supervisor,
    }
    servers = postgres.FlexibleServers(**options)
    await servers.create_server(
        postgres_model.ServerRequest("/s/pg", "eastus", "pgadmin", "secret")
    )
    endless = "do $$ begin loop null; end loop; end $$"
    session = asyncio.ensure_future(servers.get_server("/s/pg").query(endless))
    while not any(  # noqa: ASYNC110 - another process
        child.name() == "postgres" for child in list_family() if is_busy(child)
    ):
        await asyncio.sleep(0.02)
    sys.stdout.write(" ".join(str(child.pid) for child in list_family()) + "\n")
    sys.stdout.flush()
    await session


def list_family():
    return [one for one in psutil.Process().children(recursive=True) if "psql" not in one.name()]


def is_busy(process):
    return any("DO" in word for word in process.cmdline())


asyncio.run(main(*sys.argv[1:]))
