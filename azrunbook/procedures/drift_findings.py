"""What an audit found, told for people and for the record: what, where, by whom, since when. Pure.

A state that a procedure leaves on purpose (a region that was failed over, with its origin) is told
as such and is no drift; nor is it healed here, because 07_fail_back_region does that.
"""

import html
import json
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from azrunbook import activity_log, live_drift, plan as plans
from azrunbook.procedures import drift_facts, provision, release_steps
from azrunbook.resources import model

Layer = Literal["azure", "front door", "helm", "kubernetes", "nodes"]
Kind = Literal["changed", "added", "missing", "undeclared", "unfinished", "state"]
LAYERS: tuple[Layer, ...] = ("azure", "front door", "helm", "kubernetes", "nodes")
_SHOWN = 160
_EDGE = "Microsoft.Cdn/"
_NOT_TOLD, _NOT_YET_TOLD = "not told", "not yet told"


@dataclass(frozen=True)
class Finding:
    """One difference between declared and actual.

    Attributes:
        kind: ``added``: a property that nobody declares of a thing that is declared;
            ``undeclared``: a thing. ``state`` is no drift: something a procedure left on purpose.
        path: of the property, empty for a whole thing.
        by: who made it so, as far as Azure, Helm or Kubernetes tell.
        at: when, as they write it.
    """

    layer: Layer
    kind: Kind
    region: str
    type: str
    name: str
    path: str = ""
    declared: Any = None
    actual: Any = None
    by: str = _NOT_TOLD
    at: str = ""

    def __str__(self) -> str:
        what = f"{self.type} {self.name} [{self.region}]"
        who = f" ({self.by}{f', {self.at}' if self.at else ''})"
        if not self.path:
            return f"{self.kind} {what}{who}"
        if self.kind == "added":
            return f"{what} {self.path}: {_show(self.actual)} was added{who}"
        return f"{what} {self.path}: {_show(self.declared)} is {_show(self.actual)}{who}"


class Findings(tuple[Finding, ...]):
    """Findings that show as a table in a notebook and in a terminal."""

    __slots__ = ()

    def list_drift(self, layer: Layer) -> list[Finding]:
        """What drifted in a layer, without the states that are meant."""
        return [one for one in self if one.layer == layer and one.kind != "state"]

    def __str__(self) -> str:
        return "\n".join(map(str, self)) or "nothing drifted"

    def _repr_html_(self) -> str:
        if not self:
            return "<p>Nothing drifted.</p>"
        titles = ("layer", "", "region", "what", "property", "declared", "is", "by and when")
        head = "".join(f"<th>{title}</th>" for title in titles)
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in _row(one)) + "</tr>"
            for one in self
        )
        return f"<table class='facts'><tr>{head}</tr>{rows}</table>"


def _row(one: Finding) -> tuple[str, ...]:
    return (
        one.layer,
        one.kind,
        one.region,
        f"{one.type.partition('/')[2] or one.type} {one.name}",
        one.path,
        _show(one.declared),
        _show(one.actual),
        f"{one.by} {one.at}".strip(),
    )


def _show(value: Any) -> str:
    return "" if value is None else textwrap.shorten(json.dumps(value, default=str), _SHOWN)


def list_all(layers: drift_facts.Layers) -> Findings:
    """Everything that is not as declared, layer by layer."""
    return Findings(
        (
            *_list_regions(layers),
            *_list_azure(layers),
            *_list_undeclared(layers),
            *_list_image(layers),
            *(one for fact in layers.releases for one in _list_release(fact)),
            *(one for fact in layers.releases for one in _list_objects(fact)),
            *_list_strangers(layers),
            *_list_nodes(layers),
        )
    )


def is_left_on_purpose(change: plans.Change, layers: drift_facts.Layers) -> bool:
    """Whether a change is an origin of a stopped region that was taken out of serving, too."""
    stopped = {one.location for one in layers.regions if one.state == "stopped"}
    return (
        change.type == model.ORIGIN
        and change.region in stopped
        and all(one.path == "properties.enabledState" for one in change.properties)
    )


def is_unseen(change: plans.Change, layers: drift_facts.Layers) -> bool:
    """Whether a change is of something inside a cluster that cannot be asked."""
    unseen = {one.location for one in layers.regions if one.state != "running"}
    return not change.id and change.region in unseen


def _list_regions(layers: drift_facts.Layers) -> Iterator[Finding]:
    for one in layers.regions:
        if one.state == "stopped":
            yield Finding(
                layer="azure",
                kind="state",
                region=one.location,
                type=model.CLUSTER,
                name=one.cluster,
                path="properties.powerState.code",
                declared="Running",
                actual="Stopped",
            )


def _list_azure(layers: drift_facts.Layers) -> Iterator[Finding]:
    for change in provision.plan(layers.azure).changes:
        if change.action == "no_change" or is_unseen(change, layers):
            continue
        layer: Layer = "front door" if change.type.startswith(_EDGE) else "azure"
        by, at = _say_write(layers, change.id)
        where = {
            "layer": layer, "region": change.region, "type": change.type, "by": by, "at": at,
        }  # fmt: skip
        if change.action in {"create", "delete"}:
            kind: Kind = "missing" if change.action == "create" else "undeclared"
            yield Finding(kind=kind, name=change.name, **where)  # type: ignore[arg-type]
            continue
        meant = is_left_on_purpose(change, layers)
        for one in change.properties:
            yield Finding(
                kind="state" if meant else "changed",
                name=change.name,
                path=one.path,
                declared=one.after,
                actual=one.before,
                **where,  # type: ignore[arg-type]
            )


def _list_undeclared(layers: drift_facts.Layers) -> Iterator[Finding]:
    for id_, body in layers.undeclared.items():
        type_ = str(body["type"])
        by, at = _say_write(layers, id_)
        yield Finding(
            layer="front door" if type_.startswith(_EDGE) else "azure",
            kind="undeclared",
            region=str(body.get("location", "")),
            type=type_,
            name=str(body["name"]),
            by=by,
            at=at,
        )


def _list_image(layers: drift_facts.Layers) -> Iterator[Finding]:
    if layers.image and not layers.image.is_built:
        yield Finding("helm", "missing", "global", "container image", layers.image.image)
    for one in layers.image.assets.regions if layers.image else ():
        for name in one.missing:
            yield Finding("azure", "missing", one.location, "static asset", name)


def _list_release(one: drift_facts.ReleaseFact) -> Iterator[Finding]:
    if one.fact.action == "no_change":
        return
    spec, current, newest = one.fact.spec, one.fact.current, one.newest
    name = f"{spec.namespace}/{spec.name}"
    if current is None:
        yield Finding("helm", "missing", spec.location, "Helm release", name)
        return
    by = f"Helm revision {newest.number}: {newest.description}" if newest else _NOT_TOLD
    at = newest.updated_at if newest else ""
    where = ("Helm release", name)
    if current.status != "deployed":
        yield Finding(
            "helm",
            "unfinished",
            spec.location,
            *where,
            "status",
            "deployed",
            current.status,
            by,
            at,
        )
        return
    for change in one.fact.changes:
        yield Finding(
            "helm", "changed", spec.location, *where,
            change.path, change.after, change.before, by, at,
        )  # fmt: skip


def _list_objects(one: drift_facts.ReleaseFact) -> Iterator[Finding]:
    location = one.fact.spec.location
    for found in one.objects:
        if found.is_missing:
            yield Finding("kubernetes", "missing", location, found.kind, found.name)
        for field in found.differences:
            by, at = _say_author(field.author)
            yield Finding(
                "kubernetes", "changed", location, found.kind, found.name,
                field.path, field.declared, field.actual, by, at,
            )  # fmt: skip
        for added in found.additions:
            by, at = _say_author(added.author)
            yield Finding(
                "kubernetes", "added", location, found.kind, found.name,
                added.path, None, added.value, by, at,
            )  # fmt: skip


def _list_strangers(layers: drift_facts.Layers) -> Iterator[Finding]:
    for one in layers.strangers:
        layer: Layer = "helm" if one.kind == release_steps.TYPE else "kubernetes"
        by, at = _say_author(one.author)
        yield Finding(layer, "undeclared", one.location, one.kind, one.name, by=by, at=at)


def _list_nodes(layers: drift_facts.Layers) -> Iterator[Finding]:
    states = {one.role: one for one in layers.regions}
    for role, nodes in layers.nodes.items():
        location = states[role].location
        for node in nodes:
            if node.is_cordoned:
                by, at = _say_author(node.author)
                yield Finding(
                    "nodes", "changed", location, "Node", node.name,
                    "spec.unschedulable", False, True, by, at,
                )  # fmt: skip
        for name, count in _list_counts(layers, location):
            there = sum(node.pool == name for node in nodes)
            if there != count:
                yield Finding(
                    "nodes", "changed", location, "node pool", name, "nodes", count, there
                )


def _list_counts(layers: drift_facts.Layers, location: str) -> Iterator[tuple[str, int]]:
    """How many nodes Azure says each pool has; what is declared is Azure's layer."""
    for one in layers.azure.desired:
        if one.type == model.CLUSTER and one.region == location:
            body = layers.azure.actual[one.id] or {"properties": {}}
            for pool in body["properties"].get("agentPoolProfiles") or ():
                yield str(pool["name"]), int(pool.get("count") or 0)


def _say_write(layers: drift_facts.Layers, id_: str) -> tuple[str, str]:
    """Nothing told of what is in Azure may be told a few minutes later."""
    if layers.log_error or not id_:
        return _NOT_TOLD, ""
    write: activity_log.Write | None = layers.writes.get(id_.lower())
    return (str(write), write.at) if write else (_NOT_YET_TOLD, "")


def _say_author(author: live_drift.Author | None) -> tuple[str, str]:
    return (author.manager, author.at) if author else (_NOT_TOLD, "")
