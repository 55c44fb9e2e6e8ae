"""Watch the public endpoint while something happens to the estate, and judge what users saw.

A drill starts a prober, waits for the steady state, lets the notebook act, waits for the end and
keeps asking for a while: the steady state is checked before, during and after. Every figure goes
into the journal beside its prediction. In a dry run there is no prober and nothing is measured.
"""

import html
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from azrunbook import availability, checks, connect, plots, traffic
from azrunbook.procedures import regions, runs

PATH = "/api/info"
_STEADY_SECONDS = 3.0
_AFTERWARDS_SECONDS = 5.0
_READY_TIMEOUT_SECONDS = 120.0
_OUTAGE_TIMEOUT_SECONDS = 300.0


class Observation:
    """What the prober saw, as figures, checks and a picture; empty after a dry run."""

    def __init__(
        self,
        samples: Sequence[availability.Sample],
        marks: Sequence[availability.Mark],
        *,
        rate_per_second: float,
        title: str,
    ) -> None:
        self.samples = samples
        self.marks = marks
        self._rate_per_second = rate_per_second
        self._title = title

    @property
    def recovery(self) -> availability.Recovery | None:
        return availability.find_recovery(self.samples)

    def as_dict(self) -> dict[str, Any]:
        if not self.samples:
            return {"requests": 0}
        return availability.summarize(self.samples, self._rate_per_second)

    def plot(self) -> plots.Svg | str:
        """Who served when, what failed, how long it took."""
        if not self.samples:
            return "dry run: nothing was measured"
        return plots.plot_traffic(self.samples, self.marks, title=self._title)

    def check_availability(self, objective_percent: float) -> checks.CheckResult:
        """Enough of all requests were answered."""
        found = availability.availability_percent(self.samples)
        failed = sum(not one.is_ok for one in self.samples)
        return checks.CheckResult(
            name="availability",
            passed=bool(self.samples) and found >= objective_percent,
            criterion=f"at least {objective_percent:g} % of all requests answered with 200",
            found=f"{found:.2f} % ({failed} of {len(self.samples)} failed)",
            advice="look at the errors in the table and at the pods' logs",
        )

    def check_served_by(self, expected: set[str]) -> checks.CheckResult:
        """The last answers came from where they should."""
        last = [one for one in self.samples if one.is_ok][-int(self._rate_per_second) :]
        found = {one.region for one in last}
        return checks.CheckResult(
            name="served by",
            passed=bool(found) and found <= expected,
            criterion=f"the last second is served by {', '.join(sorted(expected))}",
            found=", ".join(sorted(found)) or "nobody",
            advice="look at the origins' health: azrunbook sandbox status",
        )

    def check_release(self, version: str) -> checks.CheckResult:
        """The answers of the last second come from the release that was asked for."""
        last = [one for one in self.samples if one.is_ok][-int(self._rate_per_second) :]
        found = {one.version for one in last}
        return checks.CheckResult(
            name="release served",
            passed=found == {version},
            criterion=f"every answer of the last second says version {version}",
            found=", ".join(sorted(found)) or "no answer",
            advice="kubectl get pods -o wide; helm history",
        )

    def check_recovery(self, limit_seconds: float, what: str) -> checks.CheckResult:
        """Users were served again in time."""
        recovery = self.recovery
        return checks.CheckResult(
            name=f"recovery within {what}",
            passed=recovery is not None and recovery.recover_seconds <= limit_seconds,
            criterion=f"served again within {limit_seconds:g} s of the first failure",
            found=f"{recovery.recover_seconds:.1f} s" if recovery else "no outage with an end seen",
            advice="look at the probe settings of the origin group",
        )

    def check_steady(self, objective_percent: float) -> checks.CheckResult:
        """After the recovery the steady state holds."""
        recovery = self.recovery
        after = [
            one
            for one in self.samples
            if recovery and one.at >= recovery.started_at + recovery.recover_seconds
        ]
        found = availability.availability_percent(after)
        return checks.CheckResult(
            name="steady state afterwards",
            passed=bool(after) and found >= objective_percent,
            criterion=f"at least {objective_percent:g} % after the recovery",
            found=f"{found:.2f} % of {len(after)} requests",
            advice="look at the errors in the table",
        )

    def _repr_html_(self) -> str:
        figures = {**self.as_dict()}
        if recovery := self.recovery:
            figures["time to detect, s"] = round(recovery.detect_seconds, 2)
            figures["time to recover, s"] = round(recovery.recover_seconds, 2)
        rows = "".join(
            f"<tr><th>{html.escape(name.replace('_', ' '))}</th>"
            f"<td>{html.escape(_say(value))}</td></tr>"
            for name, value in figures.items()
        )
        return f"<table class='figures'>{rows}</table>"


class Drill:
    """A prober at work for one run."""

    def __init__(
        self,
        run: runs.Run,
        prober: traffic.Prober | None,
        *,
        rate_per_second: float,
        steady_since: float = 0,
    ) -> None:
        self._run = run
        self._prober = prober
        self._rate_per_second = rate_per_second
        self._steady_since = steady_since

    def mark(self, name: str) -> None:
        """Put an event into the picture."""
        if self._prober:
            self._prober.mark(name)

    def wait_for_recovery(self, facts: regions.Facts) -> Observation:
        """Wait until another region serves and keeps serving; records time to detect and recover.

        Raises:
            StepError: users were not served again in time.
        """
        others = {one.location for one in facts.others}
        return self._finish(
            facts,
            lambda samples: _is_served_by(samples, others, self._rate_per_second),
            what=f"served by {', '.join(sorted(others))}",
            title=f"Failover of {facts.target.location}",
        )

    def wait_for_return(self, facts: regions.Facts) -> Observation:
        """Wait until the preferred region serves again.

        Raises:
            StepError: it did not in time.
        """
        preferred = {facts.preferred.location}
        return self._finish(
            facts,
            lambda samples: _is_served_by(samples, preferred, self._rate_per_second),
            what=f"served by {facts.preferred.location}",
            title=f"Failback of {facts.target.location}",
        )

    def finish_after(self, seconds: float, *, title: str) -> Observation:
        """Ask for so long, then stop."""
        if not self._prober:
            return self._close(title)
        wanted = len(self._prober.samples) + int(seconds * self._rate_per_second)
        self._prober.wait_for(
            lambda samples: len(samples) >= wanted,
            what=f"{seconds:g} s of requests",
            timeout_seconds=seconds + _READY_TIMEOUT_SECONDS,
        )
        return self._close(title)

    def _finish(
        self, facts: regions.Facts, condition: Any, *, what: str, title: str
    ) -> Observation:
        if self._prober:
            self._prober.wait_for(condition, what=what, timeout_seconds=_OUTAGE_TIMEOUT_SECONDS)
            self._prober.mark(what)
        observation = self.finish_after(_AFTERWARDS_SECONDS, title=title)
        recovery, predicted = observation.recovery, facts.prediction
        if recovery:
            span = (predicted.detect_min_seconds, predicted.detect_max_seconds)
            self._run.metric("time to detect", round(recovery.detect_seconds, 2), "s", span)
            self._run.metric("time to recover", round(recovery.recover_seconds, 2), "s", span)
        return observation

    def _close(self, title: str) -> Observation:
        samples: Sequence[availability.Sample] = ()
        marks: Sequence[availability.Mark] = ()
        if self._prober:
            self._prober.stop()
            samples = [one for one in self._prober.samples if one.at >= self._steady_since]
            marks = self._prober.marks
            self._keep(samples)
        seen = Observation(samples, marks, rate_per_second=self._rate_per_second, title=title)
        if samples:
            found = availability.availability_percent(samples)
            self._run.metric("availability", round(found, 3), "%")
            self._run.metric("failed requests", sum(not one.is_ok for one in samples), "requests")
            self._run.observe("traffic", seen)
        return seen

    def _keep(self, samples: Sequence[availability.Sample]) -> None:
        """Every single request, as evidence beside the figures made of it."""
        lines = (json.dumps(asdict(one)) + "\n" for one in samples)
        (self._run.folder / "requests.jsonl").write_text("".join(lines), encoding="utf-8")


def start(clients: connect.Clients, run: runs.Run, rate_per_second: float) -> Drill:
    """Start asking and wait for the steady state; in a dry run nothing is asked.

    What was asked before the steady state is not counted; how long it took is.

    Raises:
        StepError: the public endpoint has no steady state to start from.
    """
    if not run.applies:
        return Drill(run, None, rate_per_second=rate_per_second)
    prober = clients.prober(PATH, rate_per_second=rate_per_second)
    prober.start()
    needed = int(_STEADY_SECONDS * rate_per_second)
    try:
        prober.wait_for(
            lambda samples: _is_steady(samples[-needed:], needed),
            what=f"{_STEADY_SECONDS:g} s without a failed request and served by one region",
            timeout_seconds=_READY_TIMEOUT_SECONDS,
        )
    except BaseException:
        prober.stop()
        raise
    prober.mark("steady")
    samples = prober.samples
    steady_since = samples[-needed].at
    run.metric("time until steady", round(steady_since - samples[0].at, 2), "s")
    return Drill(run, prober, rate_per_second=rate_per_second, steady_since=steady_since)


def _is_steady(last: Sequence[availability.Sample], needed: int) -> bool:
    """Every request good, and all by one region: an edge that trusts no origin uses all in turn."""
    regions_seen = {one.region for one in last}
    return len(last) >= needed and all(one.is_ok for one in last) and len(regions_seen) == 1


def _is_served_by(
    samples: Sequence[availability.Sample], locations: set[str], rate_per_second: float
) -> bool:
    """Whether the last second's answers were all good and came from these regions."""
    last = samples[-int(rate_per_second) :]
    return bool(last) and all(one.is_ok and one.region in locations for one in last)


def _say(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}: {number}" for name, number in value.items()) or "none"
    return str(value)
