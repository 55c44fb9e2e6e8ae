"""Watch users' requests and the sizes while they change; say before what will happen, and judge.

The prober is that of the other drills (:mod:`drills`). Beside it: the forecast of each phase and
what then happened, the watch of the sizes, and a second prober that is the load the autoscaler
has to answer. In a dry run nothing is watched and nothing is forecast.
"""

import functools
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from azrunbook import availability, checks, connect, errors, forecast, plan as plans, plots, wait
from azrunbook.procedures import (
    drills,
    release_steps,
    runs,
    scale,
    scale_forecasts,
    scale_watch,
    watching,
)

_AFTERWARDS_SECONDS = 5.0
_LOOK_SECONDS = 0.25
_SCALED_SECONDS = 300.0
_SETTLED_SECONDS = 30.0  # for the scheduler, after a change is done
_DRY = "dry run: nothing was measured"


@dataclass(frozen=True)
class Load:
    """What was asked on top of the prober, to make the pods work."""

    asked: int
    failed: int


@dataclass(frozen=True)
class Seen:
    """What was seen of the whole drill; empty after a dry run."""

    traffic: drills.Observation
    looks: Sequence[scale_watch.Look]
    load: Load
    compared: Sequence[checks.CheckResult]
    drift: Sequence[plans.PropertyChange]
    target_percent: int

    def plot_requests(self) -> plots.Svg | str:
        """Which pod answered, what failed, how long it took."""
        samples = self.traffic.samples
        if not samples:
            return _DRY
        return plots.plot_traffic(samples, self.traffic.marks, title="Requests by pod", by="pod")

    def plot_sizes(self) -> plots.Svg | str:
        """Replicas, CPU and nodes over time."""
        if not self.looks or not self.traffic.samples:
            return _DRY
        start = self.traffic.samples[0].at
        marks, target = self.traffic.marks, self.target_percent
        return scale_watch.plot(self.looks, marks, start=start, target_percent=target)


class Drill:
    """A prober, the watch of the sizes and the forecasts of one run."""

    def __init__(
        self, clients: connect.Clients, run: runs.Run, facts: scale.Facts, drill: drills.Drill
    ) -> None:
        self._clients = clients
        self._run = run
        self._facts = facts
        self._drill = drill
        looks = {"sizes": functools.partial(scale_watch.look, clients, facts)}
        self._watch = watching.Watch(looks, every_seconds=_LOOK_SECONDS)
        self._expected: tuple[forecast.Forecast, forecast.Snapshot] | None = None
        self._compared: list[checks.CheckResult] = []
        self._drift: tuple[plans.PropertyChange, ...] = ()
        self._load: list[availability.Sample] = []

    def start(self) -> None:
        if self._run.applies:
            self._watch.start()

    def forecast(self, phase: str) -> forecast.Forecast | str:
        """Say from what is there now what a phase will do; it begins."""
        if not self._run.applies:
            return "dry run: nothing is there to forecast by"
        snapshot = self._clients.region(self._facts.role).nodes.take_snapshot()
        found = scale_forecasts.make(phase, snapshot, self._facts)
        self._expected = found, snapshot
        self._run.observe(f"forecast: {phase}", found)
        self._drill.mark(phase)
        return found

    def compare(self) -> checks.CheckTable:
        """Compare what the last forecast said with what is there now."""
        if self._expected is None:
            return checks.CheckTable()
        expected, before = self._expected
        nodes = self._clients.region(self._facts.role).nodes

        def look() -> wait.Seen[checks.CheckResult]:
            found = scale_forecasts.compare(expected, before, nodes.take_snapshot())
            return wait.Seen(found, found.passed, found.found)

        try:
            result = wait.wait_until(look, what=expected.what, timeout=_SETTLED_SECONDS)
        except errors.WaitTimeoutError:
            result = look().value
        self._compared.append(result)
        return checks.CheckTable([result])

    def find_drift(self) -> str:
        """What the Deployment says beside what Helm released; kept for the verdict."""
        spec = self._facts.release.spec
        region = self._clients.region(self._facts.role)
        if not self._run.applies:
            return _DRY
        released = region.releases.get_values(spec.name, spec.namespace)["replicaCount"]
        found = region.workloads.list_deployments(spec.namespace, release=spec.name)
        self._drift = tuple(
            plans.PropertyChange(f"Deployment {one.name} spec.replicas", released, one.replicas)
            for one in found
            if one.replicas != released
        )
        said = [f"{one.path}: released {one.before}, found {one.after}" for one in self._drift]
        return "; ".join(said) or "no drift"

    def load_until_scaled(self, rate_per_second: int) -> str:
        """Ask so much more until the autoscaler has more pods ready, then stop; says how many.

        Raises:
            WaitTimeoutError: it did not scale up.
        """
        if not self._run.applies:
            return _DRY
        load = self._clients.prober(drills.PATH, rate_per_second=rate_per_second)
        self._drill.mark("load")
        with load:
            seen = self._wait_for_size("scaled up", is_up=True)
        self._load = load.samples
        self._drill.mark("load ends")
        return seen

    def wait_until_small(self) -> str:
        """Wait until the autoscaler has taken back what it added.

        Raises:
            WaitTimeoutError: it did not scale down.
        """
        return self._wait_for_size("scaled down", is_up=False) if self._run.applies else _DRY

    def _wait_for_size(self, what: str, *, is_up: bool) -> str:
        least = self._facts.declared
        began: list[float] = []

        def look() -> wait.Seen[str]:
            now = scale_watch.look(self._clients, self._facts)
            began.append(now.at)
            is_settled = now.desired == now.wanted == now.ready
            is_done = is_settled and (now.ready > least if is_up else now.ready == least)
            state = f"{now.ready} of {now.wanted} ready, CPU {now.cpu_percent} %"
            return wait.Seen(state, is_done, state)

        state = wait.wait_until(look, what=what, timeout=_SCALED_SECONDS, interval=0.5)
        self._run.metric(f"{what} after", round(began[-1] - began[0], 1), "s")
        return state

    def begin(self, phase: str) -> None:
        """A phase begins for which nothing is forecast."""
        self._drill.mark(phase)

    def finish(self) -> Seen:
        """Keep asking for a while, then stop, and record what was seen."""
        traffic = self._drill.finish_after(_AFTERWARDS_SECONDS, title="The drill of sizes")
        looks = self._watch.stop() if self._run.applies else []
        load = Load(len(self._load), sum(not one.is_ok for one in self._load))
        if looks:
            self._run.metric("most replicas ready", max(one.ready for one in looks), "replicas")
            self._run.metric("load", load.asked, "requests")
            lines = (json.dumps(asdict(one)) + "\n" for one in looks)
            (self._run.folder / "sizes.jsonl").write_text("".join(lines), encoding="utf-8")
        target = self._facts.cpu_target_percent
        return Seen(traffic, looks, load, self._compared, self._drift, target)


def start(
    clients: connect.Clients, run: runs.Run, facts: scale.Facts, rate_per_second: int
) -> Drill:
    """Start asking, wait for the steady state, and watch the sizes from there.

    Raises:
        StepError: the public endpoint has no steady state to start from.
    """
    drill = Drill(clients, run, facts, drills.start(clients, run, rate_per_second))
    drill.start()
    return drill


def verify(clients: connect.Clients, seen: Seen, *, facts: scale.Facts) -> list[checks.CheckResult]:
    """No request failed, what was forecast happened, the autoscaler kept its bounds.

    The forecasts are those of the phases that were begun with one.
    """
    spec = facts.release.spec
    return [
        seen.traffic.check_availability(100),
        checks.CheckResult(
            name="load",
            passed=seen.load.asked > 0 and not seen.load.failed,
            criterion="every request of the load answered with 200",
            found=f"{seen.load.failed} of {seen.load.asked} failed",
            advice="look at the pods' logs",
        ),
        *seen.compared,
        checks.CheckResult(
            name="drift seen",
            passed=bool(seen.drift),
            criterion="what was scaled past Helm was found",
            found=", ".join(f"{one.before} → {one.after}" for one in seen.drift) or "nothing",
        ),
        _check_autoscaler(seen, facts),
        _check_fewest(seen, facts),
        *release_steps.check(clients, spec),
        checks.look("sizes", "as before", lambda: _check_sizes(clients, facts)),
    ]


def _check_autoscaler(seen: Seen, facts: scale.Facts) -> checks.CheckResult:
    least, most = facts.declared, facts.most_replicas
    sizes = [one.desired for one in seen.looks if one.desired]
    peak, last = max(sizes, default=0), sizes[-1] if sizes else 0
    return checks.CheckResult(
        name="autoscaler",
        passed=least < peak <= most and last == least,
        criterion=f"more than {least} under load, never more than {most}, {least} again after it",
        found=f"{peak} at the most, {last} at last",
        advice="kubectl describe hpa; kubectl top pods",
    )


def _check_fewest(seen: Seen, facts: scale.Facts) -> checks.CheckResult:
    # While the drained node's pod is replaced there is one fewer: its budget allows one.
    least = facts.declared - 1
    fewest = min((one.ready for one in seen.looks), default=0)
    return checks.CheckResult(
        name="ready replicas",
        passed=fewest >= least > 0,
        criterion=f"never fewer than {least} ready, one less than declared",
        found=f"{fewest} at the fewest",
        advice="look at the disruption budget and at the picture of the sizes",
    )


def _check_sizes(clients: connect.Clients, facts: scale.Facts) -> checks.CheckResult:
    now = scale_watch.look(clients, facts)
    snapshot = clients.region(facts.role).nodes.take_snapshot()
    cordoned = [
        node["metadata"]["name"] for node in snapshot.nodes if node["spec"].get("unschedulable")
    ]
    parts = {
        f"{now.wanted} replicas": now.wanted == facts.declared,
        f"{now.nodes} usable nodes in {facts.pool.name}": now.nodes == facts.pool.count,
        f"{now.probes} probes": now.probes == 0,
        f"cordoned: {', '.join(cordoned) or 'none'}": not cordoned,
    }
    return checks.CheckResult(
        name="sizes",
        passed=all(parts.values()),
        criterion="replicas and nodes as before, no probe, no node cordoned",
        found=", ".join(parts),
        advice="azrunbook undo RUN",
    )
