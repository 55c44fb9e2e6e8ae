"""The agent of one node: registers it, renews its lease, runs the pods that are assigned to it.

The law: the API server is the only way to the cluster. Stopping the agent is the loss of the
node: its processes die and nobody is told, exactly as when a machine loses power; ``drain=True``
is an orderly shutdown instead.
"""

import asyncio
import contextlib
import logging

from azrunbook.sandbox import processes
from azrunbook.sandbox.node import (
    addresses,
    api,
    clock,
    config,
    events,
    images,
    informers,
    kubelet,
    memory,
    pods,
    registration,
    runtime,
    usage,
)

_LOG = logging.getLogger(__name__)
_RETRY_SECONDS = 1.0
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"


class NodeAgent:
    """One node. It can be started again after a stop."""

    def __init__(
        self,
        node: config.NodeConfig,
        access: api.ApiAccess,
        image_store: images.ImageStore,
        supervisor: processes.Supervisor,
    ) -> None:
        self.config = node
        self.workers: dict[str, pods.PodWorker] = {}
        self._client = api.ApiClient(access)
        self._images = image_store
        self._supervisor = supervisor
        self.meter = usage.Meter(self.workers)
        self._server = kubelet.KubeletServer(node, self.workers, self.meter)
        self._tasks: list[asyncio.Task[None]] = []
        self._running: dict[str, asyncio.Task[None]] = {}

    @property
    def is_running(self) -> bool:
        return bool(self._tasks)

    async def start(self) -> None:
        """Serve the kubelet's endpoint, register the node, begin to run its pods.

        Raises:
            OSError: the node's address and port are taken.
        """
        self._client.open()
        recorder = events.EventRecorder(self._client, self.config.name)
        self._parts = runtime.Runtime(
            self.config, self._client, self._images, self._supervisor, recorder
        )
        self._pool = addresses.AddressPool(self.config.pod_addresses, reserved=self.config.address)
        try:
            port = await self._server.start()
        except OSError:
            await self._client.close()
            raise
        await self._register(port)
        recorder.normal(events.describe_node(self.config.name), "Starting", "Starting kubelet.")
        selector = f"spec.nodeName={self.config.name}"
        informer = informers.Informer(
            self._client, "/api/v1/pods", self._on_pod, field_selector=selector
        )
        loops = (
            recorder.run(),
            self._renew_lease(),
            self._send_heartbeats(),
            memory.watch_limits(self.workers, self.config.memory_sample_seconds),
            informer.run(),
        )
        self._tasks = [asyncio.create_task(loop) for loop in loops]

    async def stop(self, *, drain: bool = False) -> None:
        """Be gone: kill the pods' processes; with ``drain`` stop them in order and say so."""
        follower = self._tasks.pop() if self._tasks else None
        if follower is not None:
            await _cancel([follower])
        workers = list(self.workers.values())
        if drain:
            await asyncio.gather(*(worker.end_with_node() for worker in workers))
        await asyncio.gather(*(worker.abandon() for worker in workers))
        await _cancel([*self._tasks, *self._running.values()])
        self._tasks.clear()
        self._running.clear()
        self.workers.clear()
        await self._server.stop()
        await self._client.close()

    def _on_pod(self, uid: str, pod: config.Object | None) -> None:
        worker = self.workers.get(uid)
        if worker is not None:
            worker.update(pod)
        elif pod is not None:
            worker = pods.PodWorker(self._parts, pod, self._pool)
            self.workers[uid] = worker
            task = asyncio.create_task(worker.run())
            self._running[uid] = task
            task.add_done_callback(lambda _: self._forget(uid))

    def _forget(self, uid: str) -> None:
        self.workers.pop(uid, None)
        task = self._running.pop(uid, None)
        if task is not None and not task.cancelled() and task.exception() is not None:
            _LOG.error("pod %s: This is a bug. Please report.", uid, exc_info=task.exception())

    async def _register(self, port: int) -> None:
        node = registration.describe_node(self.config, port=port, at=clock.now())
        path = f"/api/v1/nodes/{self.config.name}"
        while True:
            try:
                try:
                    await self._client.create("/api/v1/nodes", node)
                except api.ApiError as error:
                    if not error.is_conflict:
                        raise
                    labels = {"metadata": {"labels": node["metadata"]["labels"]}}
                    known = await self._client.patch(path, labels)
                    status = registration.keep_transitions(node["status"], known["status"])
                    await self._client.patch(f"{path}/status", {"status": status})
            except api.FAILURES as error:
                _LOG.warning("node %s cannot register yet: %r", self.config.name, error)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return

    async def _renew_lease(self) -> None:
        while True:
            lease = registration.describe_lease(self.config, clock.now())
            try:
                try:
                    await self._client.patch(
                        f"{_LEASES}/{self.config.name}", {"spec": lease["spec"]}
                    )
                except api.ApiError as error:
                    if not error.is_not_found:
                        raise
                    await self._client.create(_LEASES, lease)
            except api.FAILURES as error:
                _LOG.debug("lease of %s: %r", self.config.name, error)
            await asyncio.sleep(self.config.lease_seconds)

    async def _send_heartbeats(self) -> None:
        path = f"/api/v1/nodes/{self.config.name}"
        while True:
            await asyncio.sleep(self.config.status_seconds)
            with contextlib.suppress(*api.FAILURES):
                known = await self._client.get(path)
                fresh = registration.describe_heartbeat(clock.now())
                status = registration.keep_transitions(fresh, known["status"])
                await self._client.patch(f"{path}/status", {"status": status})


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
