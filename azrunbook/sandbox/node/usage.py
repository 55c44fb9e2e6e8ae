"""What containers use at the moment, read from their processes.

Law: nothing runs by itself. A sample is taken when somebody asks, so an idle node costs nothing;
CPU is the rate between two samples. To a container belong its process group and every descendant,
also one that left the group. Source of the windows: metrics-server (15 s between samples; the
start of a container counts as a sample once it has run for 10 s).
"""

import asyncio
import os
import time
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import psutil

from azrunbook.sandbox.node import pods, running, simulation

APART_SECONDS = 1.0
WINDOW_SECONDS = 20.0
FRESH_SECONDS = 10.0


@dataclass(frozen=True)
class Sample:
    """What processes have used up to an instant of the monotonic clock, and hold then."""

    at_seconds: float
    cpu_seconds: float
    memory_bytes: int
    is_start: bool = False


@dataclass(frozen=True)
class ContainerUsage:
    """One container's usage; CPU in cores, averaged over the window."""

    cpu_cores: float
    memory_bytes: int
    cpu_seconds: float
    window_seconds: float


@dataclass(frozen=True)
class PodUsage:
    """One pod's usage by container; only pods whose containers are all measured have one."""

    uid: str
    containers: Mapping[str, ContainerUsage]

    @property
    def window_seconds(self) -> float:
        return max(one.window_seconds for one in self.containers.values())


class Meter:
    """Measures the pods of one node; ``read`` is what everybody asks."""

    def __init__(self, workers: Mapping[str, pods.PodWorker]) -> None:
        self._workers = workers
        self._samples: dict[str, deque[Sample]] = {}
        self._sampled_at_seconds = -APART_SECONDS

    def read(self) -> dict[tuple[str, str], PodUsage]:
        """Usage by (namespace, name) of every pod that is measured; samples first if it is due."""
        self._sample()
        found = {}
        for uid, worker in list(self._workers.items()):
            usages = {
                name: compute_usage(self._samples.get(run.container_id, ()))
                for name, run in _list_runs(worker)
            }
            known = {name: usage for name, usage in usages.items() if usage is not None}
            if known and len(known) == len(usages):
                meta = worker.pod["metadata"]
                found[meta["namespace"], meta["name"]] = PodUsage(uid, known)
        return found

    async def settle(self) -> None:
        """Wait the moment between two samples if a running pod is not measured yet."""
        expected = sum(1 for worker in self._workers.values() if _list_runs(worker))
        if len(self.read()) < expected:
            await asyncio.sleep(APART_SECONDS)

    def _sample(self) -> None:
        now = time.monotonic()
        if now - self._sampled_at_seconds < APART_SECONDS:
            return
        self._sampled_at_seconds = now
        runs = [run for worker in self._workers.values() for _, run in _list_runs(worker)]
        trees = list_trees({run.pid for run in runs if run.pid is not None})
        kept = {}
        for run in runs:
            start = Sample(run.started_at_seconds, 0.0, 0, is_start=True)
            samples = self._samples.get(run.container_id) or deque([start])
            seconds, held = measure(trees.get(run.pid, ()) if run.pid is not None else ())
            samples.append(Sample(now, seconds, held))
            while len(samples) > 1 and now - samples[0].at_seconds > WINDOW_SECONDS:
                samples.popleft()
            kept[run.container_id] = samples
        self._samples = kept


def compute_usage(samples: Collection[Sample]) -> ContainerUsage | None:
    """Return the usage between the first sample and the last. Pure; None while that is too short.

    The first may be the start of the container (nothing used yet), which says too little before
    ``FRESH_SECONDS``: starting is not what a container does all day.
    """
    listed = list(samples)
    if not listed:
        return None
    last = listed[-1]
    if listed[0].is_start and last.at_seconds - listed[0].at_seconds < FRESH_SECONDS:
        listed = listed[1:]
    window = last.at_seconds - listed[0].at_seconds if listed else 0.0
    if window < APART_SECONDS:
        return None
    used = max(last.cpu_seconds - listed[0].cpu_seconds, 0.0)
    return ContainerUsage(used / window, last.memory_bytes, last.cpu_seconds, window)


def list_trees(leaders: Collection[int]) -> dict[int, list[psutil.Process]]:
    """Return the processes of each leader's group and its descendants, by one pass over all."""
    trees: dict[int, list[psutil.Process]] = defaultdict(list)
    if not leaders:
        return trees
    table = {process.pid: process for process in psutil.process_iter(["ppid"])}
    parents = {pid: process.info["ppid"] for pid, process in table.items()}
    for pid, process in table.items():
        leader = find_leader(pid, _group(pid), parents, leaders)
        if leader is not None:
            trees[leader].append(process)
    return trees


def find_leader(
    pid: int, group: int, parents: Mapping[int, int | None], leaders: Collection[int]
) -> int | None:
    """Return the leader that a process belongs to: its nearest ancestor, else its group's. Pure."""
    at: int | None = pid
    seen = set()
    while at and at not in seen:
        if at in leaders:
            return at
        seen.add(at)
        at = parents.get(at)
    return group if group in leaders else None


def measure(tree: Iterable[psutil.Process]) -> tuple[float, int]:
    """Return the CPU seconds and the bytes that processes use together; ended ones count nothing.

    Children that ended count with the parent that waited for them. Memory is what each holds
    alone (resident without shared, where the system tells them apart).
    """
    seconds, held = 0.0, 0
    for process in tree:
        try:
            with process.oneshot():
                times, memory = process.cpu_times(), process.memory_info()
        except psutil.Error:
            continue
        seconds += sum(times[:4])
        held += memory.rss - getattr(memory, "shared", 0)
    return seconds, held


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:
        return 0


def _list_runs(worker: pods.PodWorker) -> list[tuple[str, running.Running]]:
    """Return what runs of a pod; a simulated container runs without a process and uses nothing."""
    return [
        (name, runner.run)
        for name, runner in worker.runners.items()
        if runner.run is not None
        and (runner.run.pid is not None or isinstance(runner.run, simulation.SimulatedRun))
    ]
