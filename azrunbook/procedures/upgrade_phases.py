"""What users saw in each phase of an upgrade, judged as Microsoft tells its customers to judge it.

Microsoft publishes when an upgrade in production shall be rolled back ("AKS production upgrade
strategies"): more errors than the baseline by 1 to 3 percentage points, a 95th percentile of
latency above twice the baseline, a throughput 20 % below it; each for five minutes. That is about
as long as all phases here together: errors and answers are judged over all of them, of 1 to 3
points the strictest; a latency has to stay high, through every phase, because one stall of a few
seconds makes a twentieth of all requests slow. A version that is slow is: it answers in each. Not
looked at: pods killed for memory and the processors of nodes, which Microsoft names too. Pure:
samples in, checks out.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass

from azrunbook import availability, checks

_MORE_ERRORS_POINTS = 1.0
_LATENCY_FACTOR = 2.0
_THROUGHPUT_SHARE = 0.8
_ADVICE = "azrunbook undo RUN; look at the pods' logs and events"


@dataclass(frozen=True)
class Phase:
    """One phase: instants in seconds since the epoch, and the requests due between them."""

    name: str
    started_at: float
    ended_at: float
    samples: Sequence[availability.Sample]

    @property
    def seconds(self) -> float:
        return self.ended_at - self.started_at

    @property
    def failed(self) -> int:
        return sum(not one.is_ok for one in self.samples)

    @property
    def error_percent(self) -> float:
        """Share of failed requests; 100 for none at all, because no evidence is not success."""
        return 100 - availability.availability_percent(self.samples)

    @property
    def p95_seconds(self) -> float:
        latencies = [one.latency_seconds for one in self.samples if one.is_ok]
        return availability.percentile(latencies, 95)

    @property
    def answers_per_second(self) -> float:
        return (len(self.samples) - self.failed) / self.seconds if self.seconds else 0.0

    @property
    def versions(self) -> dict[str, int]:
        """Good answers by the version that gave them."""
        return availability.count(one.version for one in self.samples if one.is_ok)


class PhaseTable(tuple[Phase, ...]):
    """Phases that show as a table."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        titles = ("phase", "took", "requests", "failed", "p95", "answers / s", "served by version")
        head = "".join(f"<th>{title}</th>" for title in titles)
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in _describe(one)) + "</tr>"
            for one in self
        )
        return f"<table class='figures'><tr>{head}</tr>{rows}</table>"


def _describe(one: Phase) -> tuple[str, ...]:
    return (
        one.name,
        f"{one.seconds:.1f} s",
        str(len(one.samples)),
        str(one.failed),
        f"{one.p95_seconds * 1000:.0f} ms",
        f"{one.answers_per_second:.1f}",
        ", ".join(f"{version}: {number}" for version, number in one.versions.items()),
    )


def split(
    samples: Sequence[availability.Sample], begun: Sequence[availability.Mark], ended_at: float
) -> PhaseTable:
    """Cut samples into phases; what was before the first mark is the phase ``baseline``."""
    if not samples:
        return PhaseTable()
    marks = [availability.Mark(samples[0].at, "baseline"), *begun]
    ends = [*(mark.at for mark in begun), ended_at]
    return PhaseTable(
        Phase(mark.name, mark.at, end, [one for one in samples if mark.at <= one.at < end])
        for mark, end in zip(marks, ends, strict=True)
    )


def check_triggers(phases: PhaseTable, *, tolerance_seconds: float) -> list[checks.CheckResult]:
    """After the baseline, the first phase, no published trigger is met; without phases no checks.

    ``tolerance_seconds``: latencies that differ by less are the same, however small the baseline
    is: where pods that start share processors with those that answer, that is more than twice.
    """
    if len(phases) < 2:  # noqa: PLR2004 - the baseline and what is compared with it
        return []
    baseline, window = phases[0], _join(phases[1:])
    most_errors = baseline.error_percent + _MORE_ERRORS_POINTS
    slowest = max(_LATENCY_FACTOR * baseline.p95_seconds, baseline.p95_seconds + tolerance_seconds)
    latencies = [one.p95_seconds for one in phases[1:]]
    fewest = _THROUGHPUT_SHARE * baseline.answers_per_second
    return [
        checks.CheckResult(
            name="error rate",
            passed=window.error_percent <= most_errors,
            criterion=f"at most {most_errors:g} % (baseline and {_MORE_ERRORS_POINTS:g} point)",
            found=f"{window.error_percent:.2f} % ({window.failed} of {len(window.samples)})",
            advice=_ADVICE,
        ),
        checks.CheckResult(
            name="latency",
            passed=min(latencies) <= slowest and bool(window.versions),
            criterion=f"p95 not in every phase above {slowest * 1000:.0f} ms (twice the baseline's "
            f"{baseline.p95_seconds * 1000:.0f} ms, or {tolerance_seconds * 1000:.0f} ms more)",
            found=", ".join(f"{one * 1000:.0f} ms" for one in latencies),
            advice=_ADVICE,
        ),
        checks.CheckResult(
            name="throughput",
            passed=window.answers_per_second >= fewest > 0,
            criterion=f"at least {fewest:.1f} answers a second (80 % of the baseline)",
            found=f"{window.answers_per_second:.1f}",
            advice=_ADVICE,
        ),
    ]


def _join(phases: Sequence[Phase]) -> Phase:
    samples = [one for phase in phases for one in phase.samples]
    return Phase("all", phases[0].started_at, phases[-1].ended_at, samples)


def check_versions(phase: Phase, *, ends_with: str | None, allowed: set[str]) -> checks.CheckResult:
    """Only these versions answered, and the last second is one version's if that is asked."""
    last = {one.version for one in phase.samples if one.is_ok and one.at >= phase.ended_at - 1}
    others = phase.versions.keys() - allowed
    wanted = f", in the last second only {ends_with}" if ends_with else ""
    return checks.CheckResult(
        name=f"versions: {phase.name}",
        passed=bool(phase.versions) and not others and (not ends_with or last == {ends_with}),
        criterion=f"answers of {' and '.join(sorted(allowed))} only{wanted}",
        found=f"{', '.join(sorted(phase.versions)) or 'none'}; "
        f"in the last second {', '.join(sorted(last)) or 'none'}",
        advice="helm history; kubectl get pods",
    )
