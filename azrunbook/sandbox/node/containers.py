"""One container of a pod: pulled, started, probed, started again, stopped.

The law: a runner knows its own container only; what the pod makes of it is the pod's. It tells
every change of its record by calling ``changed``. The record is what the API server will see.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from azrunbook.sandbox.node import (
    api,
    backoff,
    clock,
    commands,
    config,
    events,
    image as images,
    launch,
    logs,
    preparing,
    probes,
    pulls,
    running,
    runtime,
    simulation,
    statuses,
)

_CONFIG_RETRY_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 1.0  # the kubelet's list of what the runtime has is that old
_START_FAILED = 128
_NOT_EXECUTABLE = 126
_MESSAGE_LINES = 80
_MESSAGE_BYTES = 2048

_GROUPS = {
    "init": "initContainers",
    "sidecar": "initContainers",
    "main": "containers",
    "ephemeral": "ephemeralContainers",
}


class ContainerRunner:
    """Runs one container for as long as its pod wants it."""

    def __init__(
        self,
        parts: runtime.Runtime,
        place: runtime.Place,
        get_pod: Callable[[], config.Object],
        spec: config.Object,
        record: statuses.ContainerRecord,
        changed: Callable[[], None],
    ) -> None:
        self.spec = spec
        self.record = record
        self.run: running.Running | None = None
        self.started = asyncio.Event()
        self._parts = parts
        self._place = place
        self._get_pod = get_pod
        self._changed = changed
        self._stopping = asyncio.Event()
        self._delays = backoff.RestartDelays(parts.config.backoff)
        self._prober: probes.Prober
        self._plan: Callable[[Sequence[str]], launch.Launch]
        self._killers: set[asyncio.Task[None]] = set()
        self._oom_killed = False
        self.live_log: logs.LogFile | None = None
        self._subject = events.describe_pod(get_pod(), spec["name"], group=_GROUPS[record.kind])

    async def keep_running(self) -> None:
        """Start the container, and again as its restart policy says, until that has an end."""
        while not self._stopping.is_set():
            began = time.monotonic()
            code = await self._run_once()
            if code is None or self._stopping.is_set() or not self._is_restarted(code):
                return
            if not await self._back_off(time.monotonic() - began):
                return

    async def stop(self, grace_seconds: float) -> None:
        """Stop it for good: hook, stop signal, grace, kill. Also ends any waiting to start."""
        self._stopping.set()
        if self.run is not None and self.record.is_running:
            name = self.spec["name"]
            self._parts.events.normal(self._subject, "Killing", f"Stopping container {name}")
            await self.run.stop(grace_seconds, self._find_hook("preStop"))

    def hasten(self, grace_seconds: float) -> None:
        """Leave it less time to stop than it was given: somebody deleted its pod again."""
        if self.run is not None:
            asyncio.get_running_loop().call_later(grace_seconds, self.run.kill)

    def abandon(self) -> None:
        """End its process at once and say nothing: the node is gone."""
        self._stopping.set()
        if self.run is not None:
            self.run.kill()

    def kill_for_memory(self) -> None:
        """End it as the kernel ends a container over its memory limit."""
        self._oom_killed = True
        if self.run is not None:
            self.run.kill()

    def find_log(self, *, previous: bool) -> Path:
        """Return the log file of this run or of the one before; between two it is the same one."""
        count = self.record.restart_count
        current, before = self._log_path(count), self._log_path(count - 1)
        if "waiting" in self.record.state:
            return current if current.exists() else before
        return before if previous else current

    async def _run_once(self) -> int | None:
        """Run it to its end; the exit code, or None if it was stopped before it started."""
        try:
            image = await self._pull()
        except images.ImagePullError as error:
            return await self._simulate(error)
        if image is None:
            return None
        self._note_image(image)
        try:
            prepared = await self._prepare(image)
            return None if prepared is None else await self._start(image, *prepared)
        except launch.StartError as error:
            return await self._fail_to_start(str(error))

    async def _start(
        self, image: images.Image, planned: launch.Launch, around: launch.Surroundings
    ) -> int:
        planned = launch.mark(planned)
        path = self._log_path(self.record.restart_count)
        self._log_path(self.record.restart_count - 2).unlink(missing_ok=True)
        events_ = self._parts.events
        events_.normal(self._subject, "Created", f"Created container: {self.spec['name']}")
        run = await running.start_process(
            self._parts.supervisor,
            planned,
            path,
            self.spec,
            stop_signal=running.read_signal(image, self.spec),
        )
        self.live_log = run.log
        self._plan = lambda argv: launch.plan_program(
            image, argv, planned.env, around, cwd=planned.cwd
        )

        async def execute(argv: list[str], timeout_seconds: float) -> tuple[int, str]:
            return await running.run_command(
                self._parts.supervisor, self._plan(argv), timeout_seconds
            )

        self._prober = probes.Prober(
            self._parts.client.session, self.spec, self._place.address, execute
        )
        return await self._follow(run)

    async def start_command(
        self, argv: Sequence[str], streams: commands.Streams
    ) -> commands.Command:
        """Start a command in the running container.

        Raises:
            StartError: its program is not found.
            OSError: it cannot be executed.
        """
        return await commands.start(self._parts.supervisor, self._plan(argv), streams)

    async def _follow(self, run: running.Running) -> int:
        """Watch a run that has just begun until it ends."""
        self.run = run
        self._oom_killed = False
        self.record.container_id = run.container_id
        self._set_state(statuses.running(clock.now()))
        self._parts.events.normal(
            self._subject, "Started", f"Started container {self.spec['name']}"
        )
        watcher = asyncio.create_task(self._watch(run))
        try:
            if self._stopping.is_set():  # told while it was starting
                await run.stop(0, None)
            code = await run.wait()
        finally:
            watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watcher
        self.run = None
        self._note_end(code)
        return code

    async def _watch(self, run: running.Running) -> None:
        if isinstance(run, simulation.SimulatedRun):
            self._note_started()
            self._note_ready(is_ready=True)
            return
        hook = self._find_hook("postStart")
        if hook is not None and (problem := await self._try_hook("postStart")):
            self._parts.events.warning(
                self._subject, "FailedPostStartHook", f"PostStartHook failed: {problem}"
            )
            self._restart("FailedPostStartHook", self._grace_seconds())
            return
        outcomes = probes.Outcomes(
            started=self._note_started,
            ready=lambda is_ready: self._note_ready(is_ready=is_ready),
            unhealthy=self._note_unhealthy,
            failed=self._note_probe_failed,
        )
        await probes.watch_container(self.spec, self._prober, outcomes)

    async def _pull(self) -> images.Image | None:
        puller = pulls.Puller(self._parts, self._subject, self._set_state, self._pause)
        return await puller.pull(self.spec)

    async def _prepare(
        self, image: images.Image
    ) -> tuple[launch.Launch, launch.Surroundings] | None:
        while not self._stopping.is_set():
            try:
                return await preparing.prepare(
                    self._parts, self._place, self._get_pod(), self.spec, image
                )
            except (preparing.ConfigError, *api.FAILURES) as error:
                self._parts.events.warning(self._subject, "Failed", f"Error: {error}")
                self._set_state(statuses.waiting("CreateContainerConfigError", str(error)))
                await self._pause(_CONFIG_RETRY_SECONDS)
        return None

    async def _simulate(self, error: images.ImagePullError) -> int:
        text, pod = simulation.explain(self.spec["name"], str(error)), self._get_pod()
        self._parts.events.warning(self._subject, "Simulated", text)
        await simulation.label_pod(self._parts.client, pod)
        is_ending = simulation.is_ending(self.record, pod)
        run = simulation.start(text, self._log_path(self.record.restart_count), is_ending=is_ending)
        self.live_log = run.log
        return await self._follow(run)

    async def _fail_to_start(self, message: str) -> int:
        self.record.container_id = running.new_container_id()
        self._parts.events.warning(self._subject, "Failed", f"Error: {message}")
        state = statuses.terminated(
            exit_code=_START_FAILED,
            reason="StartError",
            container_id=self.record.container_id,
            started_at=None,
            at=clock.now(),
            message=message,
        )
        if self._is_restarted(_START_FAILED):
            self.record.last_state = state
            state = statuses.waiting("RunContainerError", message)
        self._set_state(state)
        if "waiting" in state:
            await self._pause(_LOOK_AGAIN_SECONDS)
        return _START_FAILED

    def _note_image(self, image: images.Image) -> None:
        repository = image.reference.partition("@")[0].rpartition(":")[0] or image.reference
        self.record.image = image.reference
        self.record.image_id = f"{repository}@{image.digest}"

    def _note_started(self) -> None:
        self.record.is_started = True
        self.started.set()
        self._changed()

    def _note_ready(self, *, is_ready: bool) -> None:
        if self.record.is_ready != is_ready and self.record.is_running:
            self.record.is_ready = is_ready
            self._changed()

    def _note_unhealthy(self, kind: probes.ProbeKind, problem: str) -> None:
        if not (self._stopping.is_set() and kind != "readiness"):
            text = f"{kind.capitalize()} probe failed: {problem}"
            self._parts.events.warning(self._subject, "Unhealthy", text)

    def _note_probe_failed(self, kind: probes.ProbeKind) -> None:
        if self._stopping.is_set():
            return
        probe = self.spec[f"{kind}Probe"]
        grace = probe.get("terminationGracePeriodSeconds")
        text = f"failed {kind} probe"
        self._restart(text, self._grace_seconds() if grace is None else grace)

    def _restart(self, why: str, grace_seconds: float) -> None:
        if self.run is None:
            return
        text = f"Container {self.spec['name']} {why}, will be restarted"
        self._parts.events.normal(self._subject, "Killing", text)
        hook = self._find_hook("preStop")
        killer = asyncio.create_task(self.run.stop(grace_seconds, hook))
        self._killers.add(killer)
        killer.add_done_callback(self._killers.discard)

    def _note_end(self, code: int) -> None:
        record = self.record
        reason = "Completed" if code == 0 else "Error"
        message = ""
        if code and self.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError":
            path = self._log_path(record.restart_count)
            message = logs.read_tail(path, lines=_MESSAGE_LINES, limit_bytes=_MESSAGE_BYTES)
        record.is_ready = record.is_started = False
        self.started.clear()
        self._set_state(
            statuses.terminated(
                exit_code=code,
                reason="OOMKilled" if self._oom_killed else reason,
                container_id=record.container_id,
                started_at=record.state["running"]["startedAt"],
                at=clock.now(),
                message=message,
            )
        )

    async def _back_off(self, ran_seconds: float) -> bool:
        """Wait before the next start; False when the container was stopped meanwhile."""
        delay = self._delays.next_seconds(ran_seconds)
        record, meta = self.record, self._get_pod()["metadata"]
        if "terminated" in record.state:
            record.last_state = record.state
        if delay:
            where = f"pod={meta['name']}_{meta['namespace']}({meta['uid']})"
            name = self.spec["name"]
            text = f"back-off {_describe_seconds(delay)} restarting failed container={name} {where}"
            self._parts.events.warning(
                self._subject,
                "BackOff",
                f"Back-off restarting failed container {name} in pod "
                f"{meta['name']}_{meta['namespace']}({meta['uid']})",
            )
            self._set_state(statuses.waiting("CrashLoopBackOff", text))
            if not await self._pause(delay):
                return False
        record.restart_count += 1
        return True

    async def _pause(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        return not self._stopping.is_set()

    def _is_restarted(self, code: int) -> bool:
        if self.record.kind in {"sidecar", "ephemeral"}:
            return self.record.kind == "sidecar"
        policy = self._get_pod()["spec"].get("restartPolicy", "Always")
        if self.record.kind == "init":
            return code != 0 and policy != "Never"
        return bool(policy == "Always" or (policy == "OnFailure" and code != 0))

    def _find_hook(self, name: str) -> running.Hook | None:
        if not (self.spec.get("lifecycle") or {}).get(name):
            return None

        async def hook() -> None:
            if problem := await self._try_hook(name):
                self._parts.events.warning(
                    self._subject, f"Failed{name[0].upper()}{name[1:]}Hook", problem
                )

        return hook

    async def _try_hook(self, name: str) -> str | None:
        handler = self.spec["lifecycle"][name]
        if sleep := handler.get("sleep"):
            await asyncio.sleep(sleep["seconds"])
            return None
        return await self._prober.check(handler, self._grace_seconds() or 1)

    def _grace_seconds(self) -> float:
        return float(self._get_pod()["spec"].get("terminationGracePeriodSeconds") or 0)

    def _log_path(self, restart: int) -> Path:
        return self._place.log_folder / str(self.spec["name"]) / f"{restart}.log"

    def _set_state(self, state: config.Object) -> None:
        self.record.state = state
        self._changed()


def _describe_seconds(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}m{rest:g}s" if minutes else f"{rest:g}s"
