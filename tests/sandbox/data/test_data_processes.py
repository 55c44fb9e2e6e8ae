"""Nothing of a data service outlives its sandbox."""

import asyncio
import signal
import sys
from pathlib import Path

import psutil


async def test_killed_parent_leaves_no_server_and_no_busy_session(tmp_path, ground):
    """After ``kill -9`` of the parent every server process ends, also one that never waits."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        Path(__file__).with_name("doomed_server.py"),
        tmp_path / "doomed",
        str(ground.network),
        stdout=asyncio.subprocess.PIPE,
    )
    pids = [int(word) for word in (await parent.stdout.readline()).split()]
    children = [psutil.Process(pid) for pid in pids]
    assert sum(child.name() == "postgres" for child in children) > 3

    parent.send_signal(signal.SIGKILL)
    await parent.wait()

    async with asyncio.timeout(30):
        while any(is_alive(child) for child in children):  # noqa: ASYNC110 - other processes
            await asyncio.sleep(0.02)


def is_alive(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
