"""A run: what a notebook talks to, so that all it does is shown, recorded and can be undone.

Each call is one cell of a notebook. Under the runner the folder comes from ``AZRUNBOOK_RUN`` and
the journal's start is already written; in JupyterLab :func:`begin` makes the folder itself. The
law kept here: nothing is changed before the plan is shown and the step's undo is on disk.
"""

import datetime as dt
import html
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from azrunbook import checks, errors, estate, journal, plan as plans, secrets
from azrunbook.procedures import folders, pace, records, steps

RUN_VARIABLE = "AZRUNBOOK_RUN"
_OBSERVED_ROWS = 200  # of a table, in the journal; the notebook shows it whole
_T = TypeVar("_T")


@dataclass(frozen=True)
class Metric:
    """A measured figure beside its prediction: a number, or (least, most)."""

    name: str
    value: float
    unit: str
    predicted: float | tuple[float, float] | None = None

    def __str__(self) -> str:
        expected = f" (predicted {self._say_predicted()})" if self.predicted is not None else ""
        return f"{self.name}: {self.value:g} {self.unit}{expected}"

    def _repr_html_(self) -> str:
        return f"<p class='metric'>{html.escape(str(self))}</p>"

    def _say_predicted(self) -> str:
        if isinstance(self.predicted, tuple):
            return f"{self.predicted[0]:g} to {self.predicted[1]:g} {self.unit}"
        return f"{self.predicted:g} {self.unit}"


@dataclass(frozen=True, repr=False)
class Result:
    """The one line a notebook ends with, and where the evidence is."""

    judgement: records.Judgement
    folder: Path

    @property
    def verdict(self) -> records.Verdict:
        return self.judgement.verdict

    def __repr__(self) -> str:
        return str(self)  # a notebook keeps it, and it must not name this machine's folders

    def __str__(self) -> str:
        reasons = "".join(f"\n  {reason}" for reason in self.judgement.reasons)
        return f"{self.verdict}{reasons}\nevidence: {folders.say(self.folder)}"

    def _repr_html_(self) -> str:
        reasons = "".join(f"<li>{html.escape(reason)}</li>" for reason in self.judgement.reasons)
        return (
            f"<p class='verdict {self.verdict}'><b>{self.verdict}</b>, evidence in "
            f"<code>{html.escape(folders.say(self.folder))}</code></p><ul>{reasons}</ul>"
        )


class Run:
    """One run of one procedure; made by :func:`begin`.

    Attributes:
        folder: where its record is; a procedure may write further evidence files into it.
    """

    def __init__(self, folder: Path, clients: Any, *, apply: bool, lock: int | None) -> None:
        self.folder = folder
        self._log = journal.Journal(folder)
        self._clients = clients
        self._apply = apply
        self._lock = lock  # held while a person's kernel runs it; the runner holds its own
        self._plan: plans.Plan | None = None

    @property
    def applies(self) -> bool:
        """Whether steps are really done; False in a dry run."""
        return self._apply

    def preflight(self, results: Iterable[checks.CheckResult]) -> checks.CheckTable:
        """Record what was checked before anything is changed.

        Raises:
            PreflightError: a check failed; nothing was changed.
        """
        return self._check("preflight", results, errors.PreflightError, required=True)

    def show(self, plan: plans.Plan) -> plans.Plan:
        """Record a plan; returns it, for the cell to display."""
        self._log.append("plan", **plan.as_dict(), apply=self._apply)
        self._plan = plan
        return plan

    def act(self, group: str) -> steps.OutcomeTable:
        """Run the steps of one group of the plan, all at once; a dry run says what they would do.

        A step that this run has done and not undone is not done again, so a cell may be run again
        after a failure. What an earlier run has done is seen by observing the estate, which is
        why it is not in the plan.

        Raises:
            PlanError: no plan was shown yet; nothing was changed.
            StepError: a step failed; says which were done.
        """
        if self._plan is None:
            raise errors.PlanError(
                f"'{group}' cannot be done: no plan was shown yet. Run the cell with run.show()."
            )
        todo = self._plan.list_steps(group)
        if not self._apply:
            return steps.preview(todo)
        done = {one.name for one in records.list_steps(self._log.read()) if one.state == "done"}
        todo = [step for step in todo if step.name not in done]
        echo = RUN_VARIABLE not in os.environ
        return steps.Group(self._log, self._clients, todo, echo=echo).run()

    def verify(self, results: Iterable[checks.CheckResult]) -> checks.CheckTable:
        """Record whether the goal is met; a dry run records it without requiring it.

        Raises:
            VerifyError: the steps succeeded, the goal is not met.
        """
        return self._check("verify", results, errors.VerifyError, required=self._apply)

    def audit(self, results: Iterable[checks.CheckResult]) -> checks.CheckTable:
        """Record whether the goal is met already; that is the verdict, of a dry run too.

        Raises nothing for a goal that is not met: an audit that finds something has worked, and
        what it has healed shall not be undone because of what it could not heal.
        """
        table = checks.CheckTable(results)
        self._record("verify", table, required=True)
        return table

    def observe(self, name: str, table: _T) -> _T:
        """Record a table of what was seen; returns it, for the cell to display.

        Takes a data frame, dataclasses, mappings, or what shows itself as text.
        """
        rows = _list_rows(table)
        self._log.append("observation", name=name, rows=rows[:_OBSERVED_ROWS], total_rows=len(rows))
        return table

    def metric(
        self,
        name: str,
        value: float,
        unit: str,
        predicted: float | tuple[float, float] | None = None,
    ) -> Metric:
        """Record a measured figure, with its prediction where there is one."""
        self._log.append("metric", name=name, value=value, unit=unit, predicted=predicted)
        return Metric(name, value, unit, predicted)

    def pace(self) -> pace.Pace:
        """Record how long the plan's steps took against their longest chain; returns both."""
        after = {step.name: step.after for step in self._plan.steps} if self._plan else {}
        found = pace.measure(
            [
                pace.Timed(
                    one.name,
                    dt.datetime.fromisoformat(one.started_at),
                    one.seconds,
                    after[one.name],
                )
                for one in records.list_steps(self._log.read())
                if one.state == "done" and one.seconds is not None and one.name in after
            ]
        )
        if found.chain:
            self.metric("time against the longest chain", round(found.ratio, 3), "times", (1, 1.1))
        return found

    def finish(self) -> Result:
        """Compute the verdict from the journal and end the run."""
        judgement = folders.end(self.folder)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        return Result(judgement, self.folder)

    def _record(self, phase: str, table: checks.CheckTable, *, required: bool) -> None:
        for result in table:
            self._log.append("check", phase=phase, required=required, **result.as_dict())

    def _check(
        self,
        phase: str,
        results: Iterable[checks.CheckResult],
        error: type[errors.AzrunbookError],
        *,
        required: bool,
    ) -> checks.CheckTable:
        table = checks.CheckTable(results)
        self._record(phase, table, required=required)
        if required and not table.passed:
            _display(table)  # the exception replaces what the cell would have shown
            checks.require(table, error)
        return table


def begin(
    procedure: str,
    clients: Any,
    *,
    apply: bool,
    parameters: Mapping[str, Any] | None = None,
    undo_on_failure: bool = True,
) -> Run:
    """Begin the record of a run, or join the one that the runner began.

    Args:
        procedure: the notebook's stem.
        clients: of ``connect.connect``.
        apply: False: nothing is changed.
        parameters: for the record of a run without the runner, which records them itself.
        undo_on_failure: a run under the runner that fails or is stopped is undone by it.

    Raises:
        JournalError: the runner began another procedure, or with another ``apply``.
    """
    secrets.filter_logs()
    folder, lock = os.environ.get(RUN_VARIABLE), None
    if folder is None:
        path, lock = folders.create(
            estate.find_project() / "reports",
            procedure,
            environment=clients.estate.environment,
            target=clients.connection.name,
            parameters={"apply": apply, **(parameters or {})},
        )
    else:
        path = Path(folder)
        _require_same(records.get_start(journal.read(path)), procedure, apply=apply)
    journal.Journal(path).append(
        "identity", undo_on_failure=undo_on_failure, **_describe_clients(clients)
    )
    return Run(path, clients, apply=apply, lock=lock)


def _require_same(start: Mapping[str, Any], procedure: str, *, apply: bool) -> None:
    if (start.get("procedure"), start.get("apply")) != (procedure, apply):
        raise errors.JournalError(
            f"the runner began '{start.get('procedure')}' with apply={start.get('apply')}, the "
            f"notebook begins '{procedure}' with apply={apply}: expected the same. Pass the "
            "notebook's own stem and its parameter apply to runs.begin()."
        )


def _describe_clients(clients: Any) -> dict[str, Any]:
    summary = clients.summary()
    described = summary.as_dict() if hasattr(summary, "as_dict") else {"summary": str(summary)}
    return dict(secrets.scrub_json(described))


def _list_rows(table: Any) -> list[Any]:
    if hasattr(table, "to_json") and hasattr(table, "columns"):  # a data frame, not imported here
        return list(json.loads(table.to_json(orient="records", date_format="iso")))
    if hasattr(table, "as_dict"):
        return [table.as_dict()]
    if isinstance(table, Mapping):
        return [dict(table)]
    if isinstance(table, Iterable) and not isinstance(table, str):
        return [_describe_row(row) for row in table]
    return [{"shown": str(table)}]


def _describe_row(row: Any) -> Any:
    if isinstance(row, Mapping):
        return dict(row)
    return dict(vars(row)) if hasattr(row, "__dict__") else {"shown": str(row)}


def _display(shown: Any) -> None:
    """Show in the notebook, where there is one; elsewhere as text."""
    interactive = sys.modules.get("IPython")
    shell = interactive.get_ipython() if interactive else None
    if interactive and shell is not None:
        show: Callable[[Any], Any] = interactive.display.display
        show(shown)
    else:
        print(shown)  # noqa: T201 - a script or a test looks at its terminal
