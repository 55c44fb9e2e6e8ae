"""Memory limits of containers, kept by reading the processes themselves.

A container's memory is what its group's processes hold alone or share among themselves
(``Pss_Anon`` and ``Pss_Shmem``): pages of program files count in a real container too, but the
kernel gives them back before it kills. The cheap figure is read first, the exact one only when
the cheap one is over the limit.
"""

import asyncio
import contextlib
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from azrunbook.sandbox.node import pods, registration

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_EXACT = (b"Pss_Anon:", b"Pss_Shmem:")


def list_groups(leaders: Iterable[int]) -> dict[int, list[int]]:
    """Return the processes of each group, by one pass over the process table."""
    groups: dict[int, list[int]] = defaultdict(list)
    wanted = set(leaders)
    if wanted and Path("/proc/self").exists():
        for entry in os.listdir("/proc"):  # noqa: PTH208 - names only, often
            if entry.isdigit():
                with contextlib.suppress(OSError):
                    group = os.getpgid(int(entry))
                    if group in wanted:
                        groups[group].append(int(entry))
    return groups


def measure_exactly(pids: Iterable[int]) -> int:
    """Return the bytes that processes hold, shared ones counted once."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_bytes().splitlines():
                if line.startswith(_EXACT):
                    total += int(line.split()[1]) * 1024
    return total


async def watch_limits(workers: Mapping[str, pods.PodWorker], every_seconds: float) -> None:
    """Kill containers that hold more than their memory limit, until cancelled."""
    while True:
        await asyncio.sleep(every_seconds)
        limited = {
            runner.run.pid: (runner, registration.parse_quantity(limit))
            for worker in list(workers.values())
            for runner in worker.runners.values()
            if runner.run is not None and runner.run.pid is not None
            if (limit := ((runner.spec.get("resources") or {}).get("limits") or {}).get("memory"))
        }
        for leader, pids in list_groups(limited).items():
            runner, limit_bytes = limited[leader]
            if sum(map(_read_cheap, pids)) > limit_bytes and measure_exactly(pids) > limit_bytes:
                runner.kill_for_memory()


def _read_cheap(pid: int) -> int:
    try:
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
    except OSError:
        return 0
    return (int(resident) - int(shared)) * _PAGE_BYTES
