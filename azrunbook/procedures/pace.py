"""How long steps took against the longest chain of dependencies among them. Pure.

No order of the same steps is quicker than the longest chain of steps that wait for each other
(the critical path; Kelley and Walker 1959). What a run took beyond it, it has wasted.
"""

import datetime as dt
import html
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Timed:
    """A step that was done: when it started, how long it took, which steps it had to wait for."""

    name: str
    started_at: dt.datetime
    seconds: float
    after: tuple[str, ...] = ()

    @property
    def ended_at(self) -> dt.datetime:
        return self.started_at + dt.timedelta(seconds=self.seconds)


@dataclass(frozen=True)
class Pace:
    """The longest chain, in the order of its steps, and what all steps took.

    Attributes:
        chain: the steps of the chain.
        whole_seconds: from the first step's start to the last one's end.
        work_seconds: of all steps added up; what one after the other would have taken.
    """

    chain: tuple[Timed, ...]
    whole_seconds: float
    work_seconds: float

    @property
    def chain_seconds(self) -> float:
        return sum(one.seconds for one in self.chain)

    @property
    def ratio(self) -> float:
        """1 is the best there is."""
        return self.whole_seconds / self.chain_seconds if self.chain_seconds else 1.0

    def __str__(self) -> str:
        if not self.chain:
            return "no step was done"
        steps = "\n".join(f"{one.seconds:8.1f} s  {one.name}" for one in self.chain)
        return f"{self._summarize()}\n{steps}"

    def _repr_html_(self) -> str:
        if not self.chain:
            return "<p>No step was done.</p>"
        rows = "".join(
            f"<tr><td>{html.escape(one.name)}</td><td>{one.seconds:.1f}&nbsp;s</td></tr>"
            for one in self.chain
        )
        head = "<tr><th>longest chain of dependencies</th><th>took</th></tr>"
        return f"<p>{self._summarize()}</p><table class='steps'>{head}{rows}</table>"

    def _summarize(self) -> str:
        return (
            f"{self.whole_seconds:.1f} s in all, {self.ratio:.2f} times the longest chain of "
            f"{self.chain_seconds:.1f} s; one after the other: {self.work_seconds:.0f} s"
        )


def measure(done: Sequence[Timed]) -> Pace:
    """Find the longest chain among steps that were done, in any order.

    A step that waited for one that is not among them (it was there before) waited for nobody.
    """
    best: dict[str, tuple[Timed, ...]] = {}
    for one in sorted(done, key=lambda one: one.started_at):  # so each after what it waited for
        before = max((best[name] for name in one.after if name in best), key=_sum, default=())
        best[one.name] = (*before, one)
    whole = (
        max(one.ended_at for one in done) - min(one.started_at for one in done)
        if done
        else dt.timedelta()
    )
    return Pace(
        chain=max(best.values(), key=_sum, default=()),
        whole_seconds=whole.total_seconds(),
        work_seconds=sum(one.seconds for one in done),
    )


def _sum(chain: Sequence[Timed]) -> float:
    return sum(one.seconds for one in chain)
