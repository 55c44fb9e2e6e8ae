"""The kubelet's own HTTPS endpoint: logs, commands, port forwarding, pods, health, what pods use.

Every request but ``/healthz`` needs a client certificate of the cluster's authority, as the API
server has one.
"""

import contextlib
import datetime as dt
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from azrunbook.sandbox.node import clock, config, logs, pods, remote, tunnels, usage

_WAITING_WORDS = {
    "ErrImagePull": "image can't be pulled",
    "ImagePullBackOff": "trying and failing to pull image",
}


class KubeletServer:
    """Serves one node."""

    def __init__(
        self,
        node: config.NodeConfig,
        workers: Mapping[str, pods.PodWorker],
        meter: usage.Meter,
    ) -> None:
        self._node = node
        self._workers = workers
        self._meter = meter
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        """Listen; the port that was taken (any if 0 was asked for).

        Raises:
            OSError: the address and port are taken.
        """
        app = web.Application(middlewares=[_require_certificate])
        app.add_routes(
            [
                web.get("/healthz", _answer_health),
                web.get("/pods", self._list_pods),
                web.get("/stats/summary", self._summarize),
                web.get("/containerLogs/{namespace}/{pod}/{container}", self._send_log),
                web.get("/exec/{namespace}/{pod}/{container}", self._run_command),
                web.get("/attach/{namespace}/{pod}/{container}", self._run_command),
                web.get("/portForward/{namespace}/{pod}", self._forward_ports),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(
            self._runner,
            self._node.address,
            self._node.kubelet_port,
            ssl_context=self._node.server_context,
        )
        try:
            await site.start()
        except OSError:
            await self.stop()
            raise
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening; logs that are being followed end."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _list_pods(self, _request: web.Request) -> web.Response:
        items = [worker.pod for worker in self._workers.values()]
        return web.json_response({"kind": "PodList", "apiVersion": "v1", "items": items})

    async def _send_log(self, request: web.Request) -> web.StreamResponse:
        where = request.match_info
        worker = self._find_worker(where["namespace"], where["pod"])
        name = where["container"]
        if worker is None or name not in worker.records:
            text = f"container {name} not found in pod {where['pod']}_{where['namespace']}"
            return web.Response(status=404, text=text)
        try:
            query = read_query(request.query)
        except ValueError as error:
            return web.Response(status=400, text=str(error))
        runner = worker.runners.get(name)
        path = runner.find_log(previous=query.previous) if runner is not None else None
        if runner is None or path is None or not path.exists():
            return web.Response(status=400, text=_explain_no_log(worker, name, query))
        live = None if query.previous else runner.live_log
        if live is not None and live.path != path:
            live = None
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionResetError):
            async for piece in logs.read_log(path, live, query):
                await response.write(piece)
            await response.write_eof()
        return response

    async def _run_command(self, request: web.Request) -> web.StreamResponse:
        where = request.match_info
        worker = self._find_worker(where["namespace"], where["pod"])
        name = where["container"]
        runner = None if worker is None else worker.runners.get(name)
        return await remote.answer(request, runner, name)

    async def _forward_ports(self, request: web.Request) -> web.StreamResponse:
        where = request.match_info
        worker = self._find_worker(where["namespace"], where["pod"])
        address = None if worker is None else worker.address or None
        text = f"pod {where['pod']}_{where['namespace']} is not running"
        return await tunnels.answer(request, address, where["pod"], text)

    async def _summarize(self, _request: web.Request) -> web.Response:
        """Answer as the Summary API does: CPU and memory of each container, pod and the node."""
        await self._meter.settle()
        items = []
        for (namespace, name), measured in self._meter.read().items():
            containers = [
                {"name": container, **_describe_usage(one)}
                for container, one in measured.containers.items()
            ]
            reference = {"name": name, "namespace": namespace, "uid": measured.uid}
            items.append({"podRef": reference, "containers": containers, **add_up(containers)})
        node = {"nodeName": self._node.name, **add_up(items)}
        return web.json_response({"node": node, "pods": items})

    def _find_worker(self, namespace: str, name: str) -> pods.PodWorker | None:
        for worker in self._workers.values():
            meta = worker.pod["metadata"]
            if meta["namespace"] == namespace and meta["name"] == name:
                return worker
        return None


def read_query(query: Mapping[str, str]) -> logs.LogQuery:
    """Read the query of a log request (PodLogOptions). Pure but for the clock.

    Raises:
        ValueError: a number or an instant is not one.
    """
    since = None
    if text := query.get("sinceSeconds"):
        since = clock.now() - dt.timedelta(seconds=int(text))
    elif text := query.get("sinceTime"):
        since = clock.from_text(text)
    tail, limit = query.get("tailLines"), query.get("limitBytes")
    return logs.LogQuery(
        follow=query.get("follow") in {"true", "1"},
        previous=query.get("previous") in {"true", "1"},
        timestamps=query.get("timestamps") in {"true", "1"},
        tail_lines=int(tail) if tail else None,
        since=since,
        limit_bytes=int(limit) if limit else None,
    )


def _describe_usage(measured: usage.ContainerUsage) -> config.Object:
    stamp = clock.to_text(clock.now())
    return {
        "cpu": {
            "time": stamp,
            "usageNanoCores": int(measured.cpu_cores * 1e9),
            "usageCoreNanoSeconds": int(measured.cpu_seconds * 1e9),
        },
        "memory": {"time": stamp, "workingSetBytes": measured.memory_bytes},
    }


def add_up(parts: list[config.Object]) -> config.Object:
    """Return the sums of CPU and memory of parts. Pure."""
    total: dict[str, Any] = {"cpu": {}, "memory": {}}
    for group, names in (
        ("cpu", ("usageNanoCores", "usageCoreNanoSeconds")),
        ("memory", ("workingSetBytes",)),
    ):
        total[group]["time"] = clock.to_text(clock.now())
        for name in names:
            total[group][name] = sum(part[group][name] for part in parts)
    return total


def _explain_no_log(worker: pods.PodWorker, name: str, query: logs.LogQuery) -> str:
    pod, record = worker.pod["metadata"]["name"], worker.records[name]
    if query.previous:
        return f'previous terminated container "{name}" in pod "{pod}" not found'
    reason = (record.state.get("waiting") or {}).get("reason", "ContainerCreating")
    reason = _WAITING_WORDS.get(reason, reason)
    return f'container "{name}" in pod "{pod}" is waiting to start: {reason}'


async def _answer_health(_request: web.Request) -> web.Response:
    return web.Response(text="ok")


@web.middleware
async def _require_certificate(request: web.Request, handler: Any) -> web.StreamResponse:
    transport = request.transport
    is_known = transport is not None and transport.get_extra_info("peercert")
    if request.path != "/healthz" and not is_known:
        return web.Response(status=401, text="Unauthorized")
    answer: web.StreamResponse = await handler(request)
    return answer
