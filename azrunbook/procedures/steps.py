"""Run the steps of one group at once, each with its undo written first and a deadline of its own.

Everything that happens to a step is in the journal before the next thing happens to it. Threads
are daemons: a step that ignores its deadline must not keep the process alive; a headless run's
kernel is killed anyway before anything is undone.
"""

import html
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from azrunbook import errors, journal, plan as plans
from azrunbook.procedures import actions


@dataclass(frozen=True)
class Outcome:
    """What became of one step: its name, how it ended, how long it took, and what it said."""

    step: str
    state: Literal["done", "failed", "skipped", "would run"]
    seconds: float
    detail: str


class OutcomeTable(tuple[Outcome, ...]):
    """Outcomes that show as a table in a notebook and in a terminal."""

    __slots__ = ()

    def __str__(self) -> str:
        if not self:
            return "nothing to do: the plan has no step here"
        return "\n".join(
            f"{one.state:9} {one.step} ({one.seconds:.1f} s)"
            + (f": {one.detail}" if one.detail else "")
            for one in self
        )

    def _repr_html_(self) -> str:
        if not self:
            return "<p>Nothing to do: the plan has no step here.</p>"
        rows = "".join(
            f"<tr class='{'pass' if one.state == 'done' else one.state.replace(' ', '-')}'>"
            f"<td>{html.escape(one.state)}</td><td>{html.escape(one.step)}</td>"
            f"<td>{one.seconds:.1f}&nbsp;s</td><td>{html.escape(one.detail)}</td></tr>"
            for one in self
        )
        head = "".join(f"<th>{title}</th>" for title in ("", "step", "took", "outcome"))
        return f"<table class='steps'><tr>{head}</tr>{rows}</table>"


class _Running:
    """One step on its thread; its outcome is set once, by the thread or by the one who waits."""

    def __init__(self, step: plans.Step, tell: Callable[[str], None]) -> None:
        self.step = step
        self.tell = tell
        self.progress = actions.Progress(tell, step.timeout_seconds)
        self.started_at: float | None = None
        self.outcome: Outcome | None = None

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started_at if self.started_at is not None else 0.0

    @property
    def is_late(self) -> bool:
        return self.outcome is None and self.seconds > self.step.timeout_seconds


class Group:
    """Runs steps; used once."""

    def __init__(
        self, log: journal.Journal, clients: Any, steps: Sequence[plans.Step], *, echo: bool
    ) -> None:
        self._log = log
        self._clients = clients
        self._echo = echo
        self._changed = threading.Condition()
        self._all = {step.name: _Running(step, self._teller(step.name)) for step in steps}

    def run(self) -> OutcomeTable:
        """Run all steps and wait for each until its deadline.

        Raises:
            StepError: one failed; the others of the group were waited for.
        """
        for running in self._all.values():
            name = f"step {running.step.name}"
            threading.Thread(target=self._work, args=(running,), name=name, daemon=True).start()
        try:
            self._wait()
        except BaseException:
            self._give_up()
            raise
        table = OutcomeTable(one.outcome for one in self._all.values() if one.outcome)
        failed = [outcome for outcome in table if outcome.state == "failed"]
        if failed:
            raise errors.StepError(_describe(failed, table))
        return table

    def _wait(self) -> None:
        with self._changed:
            while any(one.outcome is None for one in self._all.values()):
                for one in self._all.values():
                    if one.is_late:
                        self._end(one, "failed", _say_late(one))
                self._changed.wait(timeout=0.5)

    def _give_up(self) -> None:
        with self._changed:
            for one in self._all.values():
                if one.outcome is None:
                    self._end(one, "failed", "stopped: the run was interrupted")

    def _work(self, running: _Running) -> None:
        needed = [self._all[name] for name in running.step.after if name in self._all]
        with self._changed:
            self._changed.wait_for(lambda: running.outcome or all(one.outcome for one in needed))
            unmet = [one.step.name for one in needed if one.outcome and one.outcome.state != "done"]
            if unmet or running.outcome:
                self._end(running, "skipped", f"needs '{', '.join(unmet)}', which failed")
                return
        try:
            self._start(running)
            said = actions.perform(
                running.step.action, self._clients, running.progress, running.step.arguments
            )
        except Exception as error:  # noqa: BLE001 - recorded, and raised by run() as a StepError
            self._end(running, "failed", f"{type(error).__name__}: {error}")
        else:
            self._end(running, "done", said)

    def _start(self, running: _Running) -> None:
        step = running.step
        for undo in step.undo:
            written = self._log.append(
                "undo", step=step.name, action=undo.action, arguments=dict(undo.arguments)
            )
            if written.data["arguments"] != json.loads(json.dumps(dict(undo.arguments))):
                raise errors.StepError(
                    f"the undo '{undo.action}' of step '{step.name}' holds a secret, which the "
                    "journal does not keep: the step was not started. Let the action look the "
                    "secret up when it runs."
                )
        self._log.append("step_started", step=step.name, group=step.group, action=step.action)
        running.started_at = time.monotonic()
        running.progress = actions.Progress(running.tell, step.timeout_seconds)

    def _end(
        self, running: _Running, state: Literal["done", "failed", "skipped"], detail: str
    ) -> None:
        with self._changed:
            if running.outcome is not None:
                return
            running.progress.stop()
            seconds = round(running.seconds, 3)
            name = running.step.name
            if state == "done":
                self._log.append("step_done", step=name, seconds=seconds, outcome=detail)
            elif state == "failed":
                self._log.append("step_failed", step=name, seconds=seconds, error=detail)
            running.outcome = Outcome(name, state, seconds, detail)
            self._changed.notify_all()

    def _teller(self, name: str) -> Callable[[str], None]:
        def tell(message: str) -> None:
            self._log.append("progress", step=name, message=message)
            if self._echo:
                print(f"  {name}: {message}")  # noqa: T201 - a person is looking at the cell

        return tell


def preview(steps: Sequence[plans.Step]) -> OutcomeTable:
    """What a dry run shows instead of running: nothing is changed."""
    return OutcomeTable(
        Outcome(
            step.name,
            "would run",
            0.0,
            f"dry run: would {step.action.replace('_', ' ')}; apply=True does it",
        )
        for step in steps
    )


def _say_late(running: _Running) -> str:
    last = running.progress.last or "it told nothing"
    return (
        f"not done within {running.step.timeout_seconds:g} s (last seen: {last}). "
        "What it asked for may still happen; run the notebook again to look."
    )


def _describe(failed: Sequence[Outcome], table: OutcomeTable) -> str:
    done = ", ".join(f"'{one.step}'" for one in table if one.state == "done") or "nothing"
    what = "; ".join(f"step '{one.step}' failed: {one.detail}" for one in failed)
    return f"{what}. Done before, in this group: {done}. Run the notebook again to go on from here."
