"""One pod on its node: from assignment to removal.

The law: a worker owns its pod's containers, folders and address, and writes its status; nothing
else does. Order of a life: address and volumes, init containers one by one (sidecars stay), all
main containers together, and at the end containers, then sidecars, then the API object.
"""

import asyncio
import contextlib
import logging
import shutil
import time
from collections.abc import Callable

from azrunbook.sandbox.node import (
    addresses,
    api,
    clock,
    config,
    containers,
    credentials,
    events,
    recovery,
    reports,
    running,
    runtime,
    simulation,
    statuses,
    volumes,
)

_LOG = logging.getLogger(__name__)
_MOUNT_RETRY_SECONDS = 2.0
_SHUTDOWN = {
    "reason": "Terminated",
    "message": "Pod was terminated in response to imminent node shutdown.",
}
_LAST_WORDS_SECONDS = 2.0
_ENDED = {"Succeeded", "Failed"}


class PodWorker:
    """Runs one pod; ``update`` brings news of its object, ``run`` ends when it is gone."""

    def __init__(
        self, parts: runtime.Runtime, pod: config.Object, pool: addresses.AddressPool
    ) -> None:
        self.pod = pod
        self.records = recovery.recall_records(pod)
        self.runners: dict[str, containers.ContainerRunner] = {}
        self._parts = parts
        self._pool = pool
        self._reporter = reports.StatusReporter(parts.client, pod, self._describe_status)
        # Our own last word, not the server's: a late echo of an older one must not undo it.
        self._conditions: list[config.Object] = (pod.get("status") or {}).get("conditions") or []
        self._started_at = (pod.get("status") or {}).get("startTime")
        self.address = ""
        self._phase = ""
        self._reason: config.Object = {}
        self._final = False
        self._is_initialized = False
        self._has_sandbox = False
        self._deleted = asyncio.Event()
        self._gone = False
        meta = pod["metadata"]
        root = parts.config.log_dir
        self._folder = root / "pods" / meta["uid"]
        self._logs = root / "logs" / f"{meta['namespace']}_{meta['name']}_{meta['uid']}"
        self._tasks: list[asyncio.Task[None]] = []
        self._living: asyncio.Task[None] | None = None
        self._place: runtime.Place | None = None
        if meta.get("deletionTimestamp"):
            self._deleted.set()

    def update(self, pod: config.Object | None) -> None:
        """Take the newest object; None says that it was removed without waiting for us."""
        before = self._grace_seconds() if self._deleted.is_set() else None
        if pod is None:
            self._gone = True
        else:
            self.pod = pod
        if before is not None and self._grace_seconds() < before:
            for runner in self.runners.values():
                runner.hasten(self._grace_seconds())
        if pod is None:
            self._deleted.set()
            return
        if pod["spec"].get("readinessGates"):
            self._changed()
        if pod["metadata"].get("deletionTimestamp"):
            self._deleted.set()
        self._start_debuggers()

    def _start_debuggers(self) -> None:
        """Run the ephemeral containers that ``kubectl debug`` has added; they run once."""
        if self._place is None or self._deleted.is_set() or self._final:
            return
        for spec in recovery.list_new_debuggers(self.pod["spec"], self.records):
            if spec["name"] not in self.runners:
                runner = self._add_runner(self._place, spec)
                self._tasks.append(asyncio.create_task(runner.keep_running()))

    async def run(self) -> None:
        """Live until the pod is gone from the API server."""
        reporting = asyncio.create_task(self._reporter.run())
        self._living = asyncio.create_task(self._live())
        self._tasks = [reporting, self._living]
        await self._deleted.wait()
        await self._stop_containers()
        await self.abandon()
        self._final = True
        if not self._gone:
            await self._reporter.send()
            await self._reporter.remove()
        await self._clean_up()

    async def abandon(self) -> None:
        """The node is gone: no process stays, the API object stays as it is."""
        for task in self._tasks:
            task.cancel()
        for runner in self.runners.values():
            runner.abandon()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(r.run.wait() for r in self.runners.values() if r.run is not None))

    async def end_with_node(self) -> None:
        """The node shuts down in order: stop the containers, and say why."""
        await self._stop_containers()
        self._final = True
        self._phase, self._reason = "Failed", _SHUTDOWN
        await self._reporter.send()
        await self.abandon()

    async def _stop_containers(self) -> None:
        """Stop main containers together, then sidecars from the last to the first.

        All share one grace; what comes late still has the kubelet's least.
        """
        grace = self._grace_seconds()
        deadline = time.monotonic() + grace
        least = min(grace, running.SHORTEST_GRACE_SECONDS)
        main = [r for r in self.runners.values() if r.record.kind in {"main", "ephemeral"}]
        await asyncio.gather(*(runner.stop(grace) for runner in main))
        for runner in reversed([r for r in self.runners.values() if r not in main]):
            await runner.stop(max(deadline - time.monotonic(), least))
        if self._living is not None:  # the runners still note how their containers ended
            await asyncio.wait({self._living}, timeout=_LAST_WORDS_SECONDS)

    async def _live(self) -> None:
        if (self.pod.get("status") or {}).get("phase") in _ENDED:
            self._phase, self._final = self.pod["status"]["phase"], True
            return
        try:
            place = await self._set_up()
            self._place = place
            self._start_debuggers()
            if await self._run_init(place):
                self._is_initialized = True
                await self._run_main(place)
            await self._stop_sidecars()
            self._final = True
            self._changed()
        except asyncio.CancelledError:
            raise
        except Exception:
            _LOG.exception("pod %s: This is a bug. Please report.", self.pod["metadata"]["name"])
            raise

    async def _set_up(self) -> runtime.Place:
        node, subject = self._parts.config, events.describe_pod(self.pod)
        self._started_at = self._started_at or clock.to_text(clock.now())
        if recovery.was_running(self.pod):
            text = "Pod sandbox changed, it will be killed and re-created."
            self._parts.events.normal(subject, "SandboxChanged", text)
        if self.pod["spec"].get("hostNetwork"):
            self.address = node.address
        else:
            self.address = self._pool.take(self.pod.get("status", {}).get("podIP", ""))
        self._changed()
        while True:
            try:
                place = await self._build_place()
            except (volumes.VolumeError, *api.FAILURES) as error:
                self._parts.events.warning(subject, "FailedMount", str(error))
                await asyncio.sleep(_MOUNT_RETRY_SECONDS)
            else:
                self._has_sandbox = True
                self._tasks.append(asyncio.create_task(self._refresh_volumes()))
                return place

    async def _build_place(self) -> runtime.Place:
        pod = self.pod
        builder = volumes.VolumeBuilder(
            self._parts.client,
            pod,
            self._folder / "volumes",
            disks=self._parts.config.disks_dir or self._parts.config.log_dir / "disks",
            allocatable=self._parts.allocatable,
            forgive=self._find_forgiveness(),
        )
        places = await builder.build()
        self._volumes = builder
        kubeconfig = None
        if await credentials.is_mounted(self._parts.client, pod):
            token = await credentials.request_token(self._parts.client, pod)
            kubeconfig = credentials.write_kubeconfig(
                self._folder / "credentials",
                self._parts.client.access,
                token=token,
                namespace=pod["metadata"]["namespace"],
            )
        return runtime.Place(self.address, self._folder, self._logs, places, kubeconfig)

    async def _refresh_volumes(self) -> None:
        while True:
            await asyncio.sleep(self._parts.config.volume_sync_seconds)
            await self._volumes.refresh(self.pod)

    def _find_forgiveness(self) -> Callable[[str], None] | None:
        """A pod of which nothing runs needs nothing of what it mounts."""
        parts = self._parts
        if parts.config.unrunnable == "fail" or not simulation.is_whole(parts.images, self.pod):
            return None
        subject = events.describe_pod(self.pod)
        return lambda text: parts.events.warning(subject, "Simulated", f"{text}; not waited for")

    async def _run_init(self, place: runtime.Place) -> bool:
        """Run init containers in order; False when one has failed for good."""
        for spec in self.pod["spec"].get("initContainers") or ():
            runner = self._add_runner(place, spec)
            if runner.record.kind == "sidecar":
                self._tasks.append(asyncio.create_task(runner.keep_running()))
                await runner.started.wait()
                continue
            await runner.keep_running()
            if runner.record.exit_code != 0:
                return False
            runner.record.is_ready = True
            self._changed()
        return True

    async def _run_main(self, place: runtime.Place) -> None:
        runners = [self._add_runner(place, spec) for spec in self.pod["spec"]["containers"]]
        self._changed()
        await asyncio.gather(*(runner.keep_running() for runner in runners))

    async def _stop_sidecars(self) -> None:
        left = [r for r in self.runners.values() if r.record.kind in {"sidecar", "ephemeral"}]
        for runner in reversed(left):
            await runner.stop(self._grace_seconds())

    def _add_runner(self, place: runtime.Place, spec: config.Object) -> containers.ContainerRunner:
        runner = containers.ContainerRunner(
            self._parts, place, lambda: self.pod, spec, self.records[spec["name"]], self._changed
        )
        self.runners[spec["name"]] = runner
        return runner

    def _changed(self) -> None:
        self._reporter.mark_changed()

    def _grace_seconds(self) -> float:
        if self._gone:
            return 1.0  # a forced deletion: the kubelet's least
        meta, spec = self.pod["metadata"], self.pod["spec"]
        grace = meta.get("deletionGracePeriodSeconds")
        return float(spec.get("terminationGracePeriodSeconds", 30) if grace is None else grace)

    def _describe_status(self) -> config.Object:
        records = list(self.records.values())
        spec, host = self.pod["spec"], self._parts.config.address
        policy = spec.get("restartPolicy", "Always")
        phase = self._phase or (
            statuses.compute_final_phase(records)
            if self._final
            else statuses.compute_phase(records, policy, is_initialized=self._is_initialized)
        )
        conditions = statuses.compute_conditions(
            records,
            phase=phase,
            is_initialized=self._is_initialized,
            has_sandbox=self._has_sandbox and not self._final,
            gates=recovery.read_gates(spec, self.pod.get("status", {}).get("conditions") or []),
        )
        if any(isinstance(r.run, simulation.SimulatedRun) for r in self.runners.values()):
            conditions.append(simulation.CONDITION)
        self._conditions = statuses.stamp_conditions(conditions, self._conditions, clock.now())
        return {
            "phase": phase,
            "conditions": self._conditions,
            "hostIP": host,
            "hostIPs": [{"ip": host}],
            "startTime": self._started_at,
            **self._reason,
            **recovery.describe_addresses(self.address, self.pod),
            **recovery.describe_records(self.records, spec),
        }

    async def _clean_up(self) -> None:
        if self.address and not self.pod["spec"].get("hostNetwork"):
            self._pool.give_back(self.address)
        for folder in (self._folder, self._logs):
            with contextlib.suppress(OSError):
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
