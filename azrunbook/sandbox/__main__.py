"""``python -m azrunbook.sandbox``: run a sandbox in this process until told to end.

Started by :mod:`azrunbook.sandbox.lifecycle`; a person uses ``azrunbook sandbox up``. Ends on
SIGTERM, SIGINT, a shutdown over the control socket, or when the process given as owner is gone.
"""

import argparse
import asyncio
import logging
import os
import signal
import time
from pathlib import Path

from azrunbook.sandbox.host import server


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m azrunbook.sandbox", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="the state folder")
    parser.add_argument("--ready-fd", type=int, help="written to once when ready")
    parser.add_argument("--began-at", type=float, default=time.monotonic(), help=argparse.SUPPRESS)
    parser.add_argument("--owner-pid", type=int, help="end when this process ends")
    parser.add_argument("--timing", default="seconds", choices=("immediate", "seconds", "manual"))
    parser.add_argument("--speed", type=float, default=80, help="of seconds, Azure's being 1")
    parser.add_argument("--images", default="fail", choices=("fail", "simulate"))
    arguments = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    asyncio.run(_run(arguments))


async def _run(arguments: argparse.Namespace) -> None:
    settings = server.HostSettings(
        folder=arguments.home / "sandbox",
        began_at=arguments.began_at,
        timing=server.make_timing(arguments.timing, arguments.speed),
        images=arguments.images,
    )
    host = server.Host(settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, host.stopped.set)
    if arguments.owner_pid:
        _end_with(arguments.owner_pid, host.stopped)
    try:
        await host.start()
        if arguments.ready_fd is not None:
            os.write(arguments.ready_fd, b"ready\n")
            os.close(arguments.ready_fd)
        await host.stopped.wait()
    finally:
        await host.stop()


def _end_with(pid: int, stopped: asyncio.Event) -> None:
    """Watch the owner without polling: its pidfd becomes readable when it is gone."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        stopped.set()
        return
    loop = asyncio.get_running_loop()

    def owner_gone() -> None:
        loop.remove_reader(handle)
        os.close(handle)
        stopped.set()

    loop.add_reader(handle, owner_gone)


if __name__ == "__main__":
    main()
