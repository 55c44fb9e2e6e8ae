"""Write through the public endpoint while data moves, and find out afterwards what was lost.

A writer records visits as users would, from before the promotion until after the recovery; then
each confirmed one is looked up in what the estate has now. Writes are few: each holds a thread of
the application for three seconds while the database is away, and a drill must not be the outage
that it measures.
"""

import html
import json
from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

from azrunbook import (
    availability,
    checks,
    connect,
    errors,
    estate,
    plan as plans,
    plots,
    traffic,
    wait,
    writes,
)
from azrunbook.procedures import data_roles, data_steps, regions, runs

_RATE_PER_SECOND = 3.0
_NEEDED = 4  # confirmed writes in a row: the database takes them
_WRITABLE_SECONDS = 300.0
_LOOK_UP_SECONDS = 120.0


class Observation:
    """What became of the writes, as figures, checks and a picture; empty without a writer."""

    def __init__(
        self,
        samples: Sequence[availability.Sample] = (),
        marks: Sequence[availability.Mark] = (),
        *,
        promote: writes.Promote = "none",
        lost: Collection[str] = (),
        silence_seconds: float | None = None,
    ) -> None:
        self.promote = promote
        self.samples = samples
        self.marks = marks
        self.lost = frozenset(lost)
        self.silence_seconds = silence_seconds

    @property
    def loss(self) -> writes.Loss:
        return writes.measure_loss(writes.list_confirmed(self.samples), self.lost)

    def as_dict(self) -> dict[str, Any]:
        if not self.samples:
            return {"writes": 0}
        return {
            "writes": len(self.samples),
            "confirmed": self.loss.confirmed,
            "confirmed_and_lost": self.loss.lost,
            "recovery_point_seconds": round(self.loss.seconds, 2),
            "writes_unavailable_seconds": round(self.silence_seconds or 0.0, 2),
            "resolution_seconds": round(1 / _RATE_PER_SECOND, 2),
        }

    def plot(self) -> plots.Svg | str:
        """When writes were kept, lost or not confirmed."""
        if not self.samples:
            return "nothing was written: a dry run, or no data to move"
        return plots.plot_writes(self.samples, self.marks, lost=self.lost)

    def list_checks(self, objectives: estate.Objectives) -> list[checks.CheckResult]:
        """What was confirmed is there, and writes went on in time; none where nothing moved."""
        if self.promote == "none":
            return []
        loss, silence = self.loss, self.silence_seconds
        least, most = objectives.recovery_point_seconds, objectives.recovery_time_seconds
        is_forced = self.promote == "forced"
        return [
            checks.CheckResult(
                name="recovery point",
                passed=loss.confirmed > 0 and loss.seconds <= (least if is_forced else 0),
                criterion=f"no more than the last {least} s of confirmed writes lost"
                if is_forced
                else "every confirmed write is there",
                found=f"{loss.lost} of {loss.confirmed} lost, {loss.seconds:.1f} s",
                advice="writes.jsonl names each; look at the replica's lag before the promotion",
            ),
            checks.CheckResult(
                name="writes again within the objective",
                passed=silence is not None and silence <= most,
                criterion=f"no more than {most} s without a confirmed write",
                found="not measured" if silence is None else f"{silence:.1f} s",
                advice="look at the promotion's operation and at the application's logs",
            ),
        ]

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{html.escape(name.replace('_', ' '))}</th><td>{value:g}</td></tr>"
            for name, value in self.as_dict().items()
        )
        return f"<table class='figures'>{rows}</table>"


class WriteDrill:
    """A writer at work for one run; without a prober nothing is written."""

    def __init__(
        self,
        clients: connect.Clients,
        run: runs.Run,
        prober: traffic.Prober | None = None,
        *,
        promote: writes.Promote = "none",
        replica_ids: Sequence[str] = (),
    ) -> None:
        self._clients = clients
        self._run = run
        self._prober = prober
        self._promote = promote
        self._replica_ids = replica_ids
        self._forecast = writes.forecast(promote, None)
        self._since: float | None = None
        self._until: float | None = None

    def mark(self, name: str) -> None:
        """The promotion begins: from here on the time without a confirmed write is measured.

        Only now, with writes under way, the replica's lag says what a forced one will lose.
        """
        if self._prober:
            lag = data_roles.measure_lag(self._clients, self._replica_ids)
            if lag is not None:
                lag = round(lag, 2)
                self._run.metric("replication lag", lag, "s")
            self._forecast = writes.forecast(self._promote, lag)
            self._prober.mark(name)
            self._since = self._prober.marks[-1].at

    def wait_until_confirmed(self) -> None:
        """Wait until writes that were due after the promotion are confirmed, one after the other.

        Raises:
            StepError: none was in time; the last answers are in the message.
        """
        if self._prober is None:
            return
        self._prober.mark("promoted")
        _wait_until_confirmed(self._prober, self._prober.marks[-1].at)
        self._prober.mark("written again")
        self._until = self._prober.marks[-1].at

    def finish(self) -> Observation:
        """Stop writing, look every confirmed write up, and record what is missing.

        Raises:
            StepError: one could not be looked up.
        """
        if self._prober is None:
            return Observation()
        self._prober.stop()
        samples = self._prober.samples
        confirmed = writes.list_confirmed(samples)
        lost = self._find_lost(confirmed)
        silence = None
        if self._since is not None and self._until is not None:
            silence = writes.find_silence(confirmed, self._since, self._until)
        seen = Observation(
            samples,
            self._prober.marks,
            promote=self._promote,
            lost=lost,
            silence_seconds=silence,
        )
        self._record(seen)
        return seen

    def _find_lost(self, confirmed: Sequence[writes.Write]) -> list[str]:
        with self._clients.visits() as asked:

            def look() -> wait.Seen[list[str]]:
                try:
                    return wait.Seen(asked.list_lost(confirmed), is_done=True, state="")
                except errors.StepError as error:  # one 503 is no reason to know nothing
                    return wait.Seen([], is_done=False, state=str(error))

            what = f"{len(confirmed)} confirmed writes looked up"
            return wait.wait_until(look, what=what, timeout=_LOOK_UP_SECONDS, interval=1)

    def _record(self, seen: Observation) -> None:
        lines = (
            json.dumps({**asdict(one), "is_lost": one.created in seen.lost}) + "\n"
            for one in seen.samples
        )
        (self._run.folder / "writes.jsonl").write_text("".join(lines), encoding="utf-8")
        loss = seen.loss
        self._run.metric("confirmed writes", loss.confirmed, "writes")
        self._run.metric("lost writes", loss.lost, "writes")
        self._run.metric("recovery point", round(loss.seconds, 2), "s", self._forecast.loss)
        if seen.silence_seconds is not None:
            seconds = round(seen.silence_seconds, 2)
            self._run.metric("writes unavailable", seconds, "s", self._forecast.silence)
        self._run.observe("writes", seen)


def start(
    clients: connect.Clients, run: runs.Run, plan: plans.Plan, facts: regions.Facts
) -> WriteDrill:
    """Start writing and wait for the first confirmed writes; not unless the plan moves data.

    Raises:
        StepError: no write is confirmed: nothing could be proven.
    """
    moves = [step for step in plan.steps if step.action == data_steps.PROMOTION]
    if not run.applies or not moves or facts.data is None:
        return WriteDrill(clients, run)
    from azrunbook import visits  # the HTTP client comes along, for those who write only

    prober = clients.prober(visits.PATH, rate_per_second=_RATE_PER_SECOND, identify=visits.read_id)
    prober.start()
    try:
        _wait_until_confirmed(prober, 0)
    except BaseException:
        prober.stop()
        raise
    promote: writes.Promote = "forced" if moves[0].arguments["is_forced"] else "planned"
    return WriteDrill(clients, run, prober, promote=promote, replica_ids=facts.data.replica_ids)


def _wait_until_confirmed(prober: traffic.Prober, since: float) -> None:
    prober.wait_for(
        lambda samples: _is_confirmed([one for one in samples if one.at >= since]),
        what=f"{_NEEDED} confirmed writes in a row",
        timeout_seconds=_WRITABLE_SECONDS,
    )


def _is_confirmed(samples: Sequence[availability.Sample]) -> bool:
    last = samples[-_NEEDED:]
    return len(last) == _NEEDED and all(one.created for one in last)
