"""Health probes: each origin is asked at its group's interval, and remembered for n samples.

The rule ("health probes" article): an origin is healthy if at least x of its last n samples were
good, and only a 200 is good. Taken at its word it says how an origin starts: with no samples, so
not healthy, until x good ones are in. A new or re-enabled origin therefore gets no traffic
before x - 1 intervals have passed (the first probe is sent at once), unless no origin of its group
is healthy: then all get traffic. A healthy origin becomes unhealthy by the (n - x + 1)th bad
sample. Disabled origins are not probed and are forgotten.

Every probe opens a connection of its own, so that its latency is comparable and a kept connection
hides nothing. Azure does not publish its probe timeout; here it is the interval, 5 s at most, so
that a probe is always over when the next one is due.
"""

import asyncio
import collections
import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import aiohttp

from azrunbook.sandbox.edge import config, forward, routing

USER_AGENT = "Edge Health Probe"
_LONGEST_TIMEOUT_SECONDS = 5.0
_TRANSITIONS_KEPT = 200
_GOOD_STATUS = 200


@dataclass(frozen=True)
class Sample:
    """One probe: `result` is the status code answered, or why there was none."""

    result: str
    latency_seconds: float
    is_good: bool


@dataclass(frozen=True)
class Transition:
    """An origin became healthy or unhealthy, by which sample."""

    at: dt.datetime
    group: str
    origin: str
    is_healthy: bool
    good_samples: int
    result: str


class Window:
    """The last n samples of one origin and what they say; no IO."""

    def __init__(self, balancing: config.Balancing) -> None:
        self._samples: collections.deque[Sample] = collections.deque(
            maxlen=max(balancing.sample_size, 1)
        )
        self._required = min(balancing.successful_samples, max(balancing.sample_size, 1))
        self.is_healthy = self._required == 0

    def record(self, sample: Sample) -> bool:
        """Add a sample; whether the origin's health changed by it."""
        self._samples.append(sample)
        before, self.is_healthy = self.is_healthy, self.good_samples >= self._required
        return before is not self.is_healthy

    @property
    def good_samples(self) -> int:
        return sum(sample.is_good for sample in self._samples)

    @property
    def size(self) -> int:
        """How many samples there are so far."""
        return len(self._samples)

    @property
    def last_result(self) -> str | None:
        return self._samples[-1].result if self._samples else None

    @property
    def latency_seconds(self) -> float | None:
        """Mean over the good samples; None without any."""
        good = [sample.latency_seconds for sample in self._samples if sample.is_good]
        return sum(good) / len(good) if good else None


@dataclass(frozen=True)
class _Target:
    """What a probe depends on: while it stays the same, the samples stay valid."""

    probe: config.Probe
    balancing: config.Balancing
    host: str
    port: int
    host_header: str | None
    checks_certificate_name: bool
    link: config.Link | None


@dataclass(frozen=True)
class _Watched:
    target: _Target
    window: Window
    task: asyncio.Task[None]


class Monitor:
    """Probes every enabled origin of every group that has a probe."""

    def __init__(
        self,
        forwarder: forward.Forwarder,
        *,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._forwarder = forwarder
        self._clock = clock
        self._watched: dict[str, _Watched] = {}
        self.transitions: collections.deque[Transition] = collections.deque(
            maxlen=_TRANSITIONS_KEPT
        )

    def configure(self, groups: Iterable[config.OriginGroup]) -> None:
        """Probe exactly the origins of these groups; unchanged ones keep their samples."""
        before, self._watched = self._watched, {}
        for group in groups:
            for origin in group.origins:
                target = _target(group, origin)
                if target is None:
                    continue
                known = before.get(origin.id)
                if known is not None and known.target == target:
                    self._watched[origin.id] = before.pop(origin.id)
                else:
                    self._watched[origin.id] = self._watch(group, origin, target)
        for gone in before.values():
            gone.task.cancel()

    async def stop(self) -> None:
        """End all probing."""
        tasks = [watched.task for watched in self._watched.values()]
        self._watched = {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def health(self, origin: config.Origin) -> routing.Health:
        """What routing needs to know; an origin without probe counts as healthy."""
        watched = self._watched.get(origin.id)
        if watched is None:
            return routing.Health(is_healthy=True)
        return routing.Health(
            is_healthy=watched.window.is_healthy, latency_seconds=watched.window.latency_seconds
        )

    def find_window(self, origin: config.Origin) -> Window | None:
        """The samples of an origin, None if it is not probed."""
        watched = self._watched.get(origin.id)
        return watched.window if watched else None

    def _watch(self, group: config.OriginGroup, origin: config.Origin, target: _Target) -> _Watched:
        window = Window(group.balancing)
        task = asyncio.create_task(
            self._probe_for_ever(group, origin, target.probe, window),
            name=f"probe {group.name}/{origin.name}",
        )
        task.add_done_callback(_complain)
        return _Watched(target, window, task)

    async def _probe_for_ever(
        self,
        group: config.OriginGroup,
        origin: config.Origin,
        probe: config.Probe,
        window: Window,
    ) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            sample = await self._ask(origin, probe)
            if window.record(sample):
                self.transitions.append(
                    Transition(
                        at=self._clock(),
                        group=group.name,
                        origin=origin.name,
                        is_healthy=window.is_healthy,
                        good_samples=window.good_samples,
                        result=sample.result,
                    )
                )
            # A fixed beat, not "interval after the answer": slow answers must not stretch the
            # time to detect. After a stall of the loop, missed beats are skipped, not made up.
            due = max(due + probe.interval_seconds, loop.time())
            await asyncio.sleep(due - loop.time())

    async def _ask(self, origin: config.Origin, probe: config.Probe) -> Sample:
        loop = asyncio.get_running_loop()
        timeout_seconds = min(probe.interval_seconds, _LONGEST_TIMEOUT_SECONDS)
        started = loop.time()
        try:
            async with asyncio.timeout(timeout_seconds):
                response = await self._forwarder.ask(
                    origin,
                    forward.Outgoing(
                        method=probe.method,
                        path=probe.path,
                        is_https=probe.is_https,
                        headers=_headers(origin),
                        timeout_seconds=timeout_seconds,
                    ),
                    is_fresh=True,
                )
                async with response:
                    await _drain(response)
        except forward.OriginError as error:
            return Sample(error.reason, loop.time() - started, is_good=False)
        except TimeoutError:
            return Sample("OriginTimeout", loop.time() - started, is_good=False)
        except (aiohttp.ClientError, OSError):
            return Sample("OriginInvalidResponse", loop.time() - started, is_good=False)
        took = loop.time() - started
        return Sample(str(response.status), took, is_good=response.status == _GOOD_STATUS)


def _complain(task: asyncio.Task[None]) -> None:
    """A prober that ends by itself would leave an origin's health as it is, for ever: say so."""
    if not task.cancelled() and (error := task.exception()) is not None:
        task.get_loop().call_exception_handler(
            {
                "message": f"{task.get_name()} ended. This is a bug. Please report.",
                "exception": error,
                "task": task,
            }
        )


def _target(group: config.OriginGroup, origin: config.Origin) -> _Target | None:
    """What to probe, None if the origin is not to be probed."""
    if group.probe is None or not origin.is_enabled:
        return None
    return _Target(
        probe=group.probe,
        balancing=group.balancing,
        host=origin.host,
        port=origin.port(is_https=group.probe.is_https),
        host_header=origin.host_header,
        checks_certificate_name=origin.checks_certificate_name,
        link=origin.link,
    )


def _headers(origin: config.Origin) -> list[tuple[str, str]]:
    return [
        ("Host", origin.host_header or origin.host),
        ("User-Agent", USER_AGENT),
        ("Accept", "*/*"),
        ("X-FD-HealthProbe", "1"),
    ]


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Read the body away: latency is measured to its last byte."""
    async for _ in response.content.iter_any():
        pass
