"""Containers whose image cannot run here, where the sandbox was asked to simulate such images.

Law: a simulated container says that it is one wherever somebody may look: a label and a condition
of its pod, an event, its log, and the answer to ``kubectl exec``. It is ready without a process,
so its pod is an endpoint of its services; nobody listens there, and a client is refused.
What is meant to end does end: an init container and the containers of a pod that is not always
restarted (a Job's, a chart's hook or test) complete with exit code 0 after a moment.
A pod of which nothing runs does not wait for a Secret or ConfigMap that is missing: what would make
it (a chart's hook, an operator) is often simulated too. An event says that it is missing.
"""

import asyncio
import contextlib
import time
from pathlib import Path

from azrunbook.sandbox.node import (
    api,
    config,
    image as one_image,
    images,
    logs,
    pipes,
    running,
    statuses,
)

LABEL = "azrunbook.dev/simulated"
MOMENT_SECONDS = 1.0
CONDITION: config.Object = {
    "type": "sandbox.azrunbook.dev/Simulated",
    "status": "True",
    "reason": "NoCommand",
    "message": "a container of this pod has no process: its image cannot run here",
}


class SimulatedRun:
    """A container without a process: it runs until it is stopped, or for a moment; ends with 0."""

    pid = None
    stdin: asyncio.StreamWriter | None = None
    terminal: pipes.Terminal | None = None

    def __init__(self, text: str, log: logs.LogFile, *, ends_after_seconds: float | None) -> None:
        self.container_id = running.new_container_id()
        self.started_at_seconds = time.monotonic()
        self.text = text
        self.log = log
        self._ends_after_seconds = ends_after_seconds
        self._stopped = asyncio.Event()

    async def wait(self) -> int:
        """Wait until it is stopped, or its moment is over."""
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._ends_after_seconds):
                    await self._stopped.wait()
        finally:
            self.log.close()
        return 0

    async def stop(self, grace_seconds: float, hook: running.Hook | None) -> None:  # noqa: ARG002 - Running
        """End it; there is nothing a hook could reach."""
        self._stopped.set()

    def kill(self) -> None:
        """End it."""
        self._stopped.set()


def start(text: str, path: Path, *, is_ending: bool) -> SimulatedRun:
    """Begin to simulate; the log holds the text, and nothing else ever."""
    log = logs.LogFile(path)
    log.append(f"{text}\n".encode())
    return SimulatedRun(text, log, ends_after_seconds=MOMENT_SECONDS if is_ending else None)


def explain(container: str, why: str) -> str:
    """Return what the event, the log and a refused command say. Pure."""
    return f"Container {container} is simulated, nothing runs in it: {why}"


def is_ending(record: statuses.ContainerRecord, pod: config.Object) -> bool:
    """Tell whether a container is meant to end by itself. Pure."""
    if record.kind == "main":
        return bool(pod["spec"].get("restartPolicy", "Always") != "Always")
    return record.kind == "init"


def is_whole(store: images.ImageStore, pod: config.Object) -> bool:
    """Tell whether no container of a pod has an image that can run here."""
    spec = pod["spec"]
    parts = [*(spec.get("initContainers") or ()), *spec["containers"]]
    return not any(_can_run(store, part["image"]) for part in parts)


def _can_run(store: images.ImageStore, reference: str) -> bool:
    try:
        store.resolve(reference)
    except one_image.ImagePullError as error:
        return error.reason != "ErrImagePull"
    return True


async def label_pod(client: api.ApiClient, pod: config.Object) -> None:
    """Put the label on a pod, once.

    Needs a permission that a real node lacks; the host grants it in clusters that simulate.
    """
    meta = pod["metadata"]
    if (meta.get("labels") or {}).get(LABEL) == "true":
        return
    path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
    with contextlib.suppress(*api.FAILURES):  # the event and the condition say it too
        await client.patch(path, {"metadata": {"uid": meta["uid"], "labels": {LABEL: "true"}}})
