"""Probes with the kubelet's semantics: when they run, what they say, when they count.

A startup probe gates the others. The first probe comes ``initialDelaySeconds`` after the start
(the kubelet's jitter is left out, so runs can be compared), and readiness is asked at once when
the startup probe has passed.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

import aiohttp
import yarl

from azrunbook.sandbox.node import config, grpc_health

ProbeKind = Literal["startup", "readiness", "liveness"]
ExecRunner = Callable[[list[str], float], Awaitable[tuple[int, str]]]

_OUTPUT_CHARACTERS = 1024
_HEADERS = {"User-Agent": "kube-probe/1.36", "Accept": "*/*", "Connection": "close"}
_HTTP_OK = range(200, 400)
_REDIRECTIONS = {301, 302, 303, 307, 308}
_MOST_REDIRECTIONS = 10


@dataclass(frozen=True)
class Timing:
    """When a probe runs and when it counts; seconds and numbers of results in a row."""

    initial_delay_seconds: float
    period_seconds: float
    timeout_seconds: float
    success_threshold: int
    failure_threshold: int


def read_timing(probe: config.Object) -> Timing:
    """Read a probe's numbers; the defaults are the API server's. Pure."""
    return Timing(
        initial_delay_seconds=probe.get("initialDelaySeconds") or 0,
        period_seconds=probe.get("periodSeconds") or 10,
        timeout_seconds=probe.get("timeoutSeconds") or 1,
        success_threshold=probe.get("successThreshold") or 1,
        failure_threshold=probe.get("failureThreshold") or 3,
    )


class Streak:
    """Results in a row: says True or False when a threshold is reached, else None. Pure."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._last: bool | None = None
        self._length = 0

    def add(self, *, is_success: bool) -> bool | None:
        """Count one result."""
        self._length = self._length + 1 if is_success is self._last else 1
        self._last = is_success
        timing = self._timing
        needed = timing.success_threshold if is_success else timing.failure_threshold
        return is_success if self._length >= needed else None


class Prober:
    """Asks one container: by HTTP, by connecting, or by running a command in it."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        container: config.Object,
        address: str,
        run: ExecRunner,
    ) -> None:
        self._session = session
        self._container = container
        self._address = address
        self._run = run

    async def check(self, handler: config.Object, timeout_seconds: float) -> str | None:
        """Return None for success, or what went wrong in the kubelet's words."""
        if "exec" in handler:
            return await self._check_exec(handler["exec"], timeout_seconds)
        if "httpGet" in handler:
            return await self._check_http(handler["httpGet"], timeout_seconds)
        if "tcpSocket" in handler:
            return await self._check_tcp(handler["tcpSocket"], timeout_seconds)
        if action := handler.get("grpc"):
            port, service = self.find_port(action["port"]), action.get("service") or ""
            return await grpc_health.check(self._address, port, service, timeout_seconds)
        return "missing probe handler"

    def find_port(self, port: int | str) -> int:
        """Return a port number, or the number of a named port.

        Raises:
            LookupError: no port of that name.
        """
        if isinstance(port, int) or port.isdigit():
            return int(port)
        for entry in self._container.get("ports") or ():
            if entry.get("name") == port:
                return int(entry["containerPort"])
        raise LookupError(f"couldn't find port: {port}")

    async def _check_exec(self, action: config.Object, timeout_seconds: float) -> str | None:
        try:
            code, output = await self._run(action.get("command") or [], timeout_seconds)
        except TimeoutError:
            return f"command timed out: after {timeout_seconds:g}s"
        return None if code == 0 else output[:_OUTPUT_CHARACTERS]

    async def _check_tcp(self, action: config.Object, timeout_seconds: float) -> str | None:
        try:
            target = (action.get("host") or self._address, self.find_port(action["port"]))
            async with asyncio.timeout(timeout_seconds):
                _, writer = await asyncio.open_connection(*target)
        except LookupError as error:
            return str(error)
        except (OSError, TimeoutError) as error:
            return describe_failure(error, f"{target[0]}:{target[1]}")
        writer.close()
        return None

    async def _check_http(self, action: config.Object, timeout_seconds: float) -> str | None:
        try:
            port = self.find_port(action["port"])
        except LookupError as error:
            return str(error)
        scheme = (action.get("scheme") or "HTTP").lower()
        target = f"{action.get('host') or self._address}:{port}"
        url = f"{scheme}://{target}/{(action.get('path') or '/').removeprefix('/')}"
        given = {h["name"]: h["value"] for h in action.get("httpHeaders") or ()}
        try:
            async with asyncio.timeout(timeout_seconds):
                status = await self._get_status(yarl.URL(url), {**_HEADERS, **given})
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return f'Get "{url}": {describe_failure(error, target)}'
        if status in _HTTP_OK:
            return None
        return f"HTTP probe failed with statuscode: {status}"

    async def _get_status(self, url: yarl.URL, headers: dict[str, str]) -> int:
        """Ask, and follow redirections on the same host; one to another host is the answer."""
        for _ in range(_MOST_REDIRECTIONS):
            async with self._session.get(
                url,
                headers=headers,
                ssl=False,  # the kubelet does not verify either
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None),
            ) as response:
                await response.content.read(10 * 1024)
                location = response.headers.get("Location")
                target = url.join(yarl.URL(location)) if location else url
                if response.status not in _REDIRECTIONS or target.host != url.host or not location:
                    return response.status
                url = target
        raise aiohttp.ClientError(f"stopped after {_MOST_REDIRECTIONS} redirects")


def describe_failure(error: BaseException, target: str) -> str:
    """Say a connection's failure as Go says it. Pure."""
    if isinstance(error, TimeoutError):
        return "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    inner: BaseException | None = getattr(error, "os_error", None) or error
    if isinstance(inner, ConnectionRefusedError):
        return f"dial tcp {target}: connect: connection refused"
    if isinstance(inner, ConnectionResetError):
        return f"read tcp {target}: read: connection reset by peer"
    if isinstance(inner, aiohttp.ServerDisconnectedError):
        return "EOF"
    return f"dial tcp {target}: {inner}"


@dataclass(frozen=True)
class Outcomes:
    """What a container does about the results of its probes."""

    started: Callable[[], None]
    ready: Callable[[bool], None]
    unhealthy: Callable[[ProbeKind, str], None]
    failed: Callable[[ProbeKind], None]


async def watch_container(container: config.Object, prober: Prober, outcomes: Outcomes) -> None:
    """Run the probes of a container that has just started, until cancelled."""
    startup = container.get("startupProbe")
    if startup and not await _pass_startup(startup, prober, outcomes):
        return
    outcomes.started()
    async with asyncio.TaskGroup() as group:
        readiness, liveness = container.get("readinessProbe"), container.get("livenessProbe")
        if readiness:
            group.create_task(_follow("readiness", readiness, prober, outcomes))
        else:
            outcomes.ready(True)
        if liveness:
            group.create_task(_follow("liveness", liveness, prober, outcomes))


async def _pass_startup(probe: config.Object, prober: Prober, outcomes: Outcomes) -> bool:
    async for verdict in _verdicts("startup", probe, prober, outcomes):
        if verdict is False:
            outcomes.failed("startup")
        if verdict is not None:
            return verdict
    return False


async def _follow(
    kind: ProbeKind, probe: config.Object, prober: Prober, outcomes: Outcomes
) -> None:
    async for verdict in _verdicts(kind, probe, prober, outcomes):
        if kind == "readiness":
            if verdict is not None:
                outcomes.ready(verdict)
        elif verdict is False:
            outcomes.failed(kind)
            return


async def _verdicts(
    kind: ProbeKind, probe: config.Object, prober: Prober, outcomes: Outcomes
) -> AsyncIterator[bool | None]:
    timing = read_timing(probe)
    streak = Streak(timing)
    clock = asyncio.get_running_loop().time
    due = clock() + timing.initial_delay_seconds
    while True:
        await asyncio.sleep(due - clock())
        problem = await prober.check(probe, timing.timeout_seconds)
        if problem is not None:
            outcomes.unhealthy(kind, problem)
        yield streak.add(is_success=problem is None)
        due = max(due + timing.period_seconds, clock())
