"""Procedure 04: upgrade the application under traffic, survive a broken release, go back by hand.

Three releases. The declared one is what 03 released. The next one's source really differs: the
build is sent a copy of ``app/`` with the lines replaced that ``app/releases/<version>.yaml`` names
(:mod:`patched_source`). The broken one is the same image under a third name, and a value of the
chart keeps its pods from ever being ready: what is tried is how a release that does not come up is
noticed and taken back, by Kubernetes and Helm, with nobody looking.

Regions change one after the other, the one that serves users last. The broken release goes to the
one that serves, where it could do harm. At the end the declared release is back.
"""

import html
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from azrunbook import checks, connect, errors, estate, manifests, plan as plans, releases
from azrunbook.procedures import (
    actions,
    app_release,
    ingress_rollout,
    patched_source,
    regions,
    release_steps,
    rollout_watch,
)

BROKEN_VERSION = "1.0.2"
_BUILD_TIMEOUT_SECONDS = 900
_STEP_TIMEOUT_SECONDS = 300
# What the broken release is given to come up: Kubernetes says so first, then Helm's own patience
# ends (Helm 3 waits for that, Helm 4 listens to Kubernetes).
_PROGRESS_DEADLINE_SECONDS = 8
_HELM_PATIENCE_SECONDS = 15


@dataclass(frozen=True)
class Facts:
    """The releases as they are, and what the upgrade and the broken release would change.

    Attributes:
        declared: the version of the estate file, which is there now.
        source: digest of the source of the next version.
        digest: of the image that the registry has of it; empty: it is not built yet.
        upgrade: in the order in which the regions are upgraded.
        broken: in the region that serves users.
        values: what changes in the values that the release is given, by location.
    """

    declared: str
    version: str
    broken_version: str
    description: str
    source: str
    digest: str
    upgrade: release_steps.Facts
    broken: release_steps.Fact
    values: Mapping[str, tuple[plans.PropertyChange, ...]]

    def _repr_html_(self) -> str:
        built = f"<code>{self.digest}</code>" if self.digest else "not built yet"
        return (
            f"<p>{html.escape(self.declared)} → {html.escape(self.version)}: "
            f"{html.escape(self.description)} Source <code>{self.source[:12]}</code>, {built}. "
            f"{html.escape(self.broken.spec.location)} serves users.</p>"
            f"{self.upgrade._repr_html_()}"
        )


def observe(
    clients: connect.Clients, *, version: str, broken_version: str = BROKEN_VERSION
) -> Facts:
    """Look at the releases, the images, and what each release would change.

    Raises:
        EstateError: nothing says what the version changes, or it does not fit the source.
    """
    folder = clients.project / "app"
    source = patched_source.digest(folder, version)
    digest = clients.registry.find_digest(app_release.name_source(clients, version, source))
    upgrade = release_steps.observe(clients, _order(clients, version, digest))
    broken = release_steps.observe(clients, [_break(_order(clients, broken_version, digest)[-1])])
    return Facts(
        declared=clients.estate.app.version,
        version=version,
        broken_version=broken_version,
        description=patched_source.read(folder, version).description,
        source=source,
        digest=digest,
        upgrade=release_steps.Facts(upgrade),
        broken=broken[0],
        values={one.spec.location: _compare_values(clients, one) for one in upgrade},
    )


def list_digests(clients: connect.Clients, facts: Facts) -> dict[str, str]:
    """The images of the declared and of the next version, as far as they are built."""
    image = clients.estate.app.image
    found = {
        version: clients.registry.find_digest(f"{image}:{version}")
        for version in (facts.declared, facts.version)
    }
    return {version: digest for version, digest in found.items() if digest}


def _order(clients: connect.Clients, version: str, digest: str) -> list[release_steps.Spec]:
    """The regions' releases, the one that serves users last."""
    serving = regions.observe(clients, region="primary").preferred.role
    specs = app_release.list_specs(clients, version, digest=digest)
    return sorted(specs, key=lambda one: one.role == serving)


def _break(spec: release_steps.Spec) -> release_steps.Spec:
    """The same release with pods that never become ready, noticed soon; pure."""
    faults = {
        "faults": {"unready": True},
        "rollout": {"progressDeadlineSeconds": _PROGRESS_DEADLINE_SECONDS},
    }
    return replace(spec, values=ingress_rollout.merge(spec.values, faults))


def _compare_values(
    clients: connect.Clients, fact: release_steps.Fact
) -> tuple[plans.PropertyChange, ...]:
    spec = fact.spec
    if fact.current is None:
        return ()
    now = clients.region(spec.role).releases.get_values(spec.name, spec.namespace)
    return compare_values(now, spec.values, spec.name, spec.namespace)


def compare_values(
    before: Mapping[str, Any], after: Mapping[str, Any], name: str, namespace: str
) -> tuple[plans.PropertyChange, ...]:
    """What differs between the values of two revisions; pure."""
    old, new = (
        {"kind": "Release", "metadata": {"name": name}, "values": dict(values)}
        for values in (before, after)
    )
    return manifests.compare([old], [new], namespace=namespace)


def preflight(
    clients: connect.Clients, *, builder: str = app_release.REGISTRY
) -> list[checks.CheckResult]:
    """Ingress and registry are there, and the declared release runs in every region."""
    specs = app_release.list_specs(clients, clients.estate.app.version)

    def look(spec: release_steps.Spec) -> list[checks.CheckResult]:
        return release_steps.check(clients, spec)

    advice = "azrunbook run 03_release_app -p apply=true"
    found = [one for group in clients.for_each(look, specs) for one in group]
    return [
        *app_release.preflight(clients, builder=builder),
        *(replace(one, advice=advice) for one in found),
    ]


def plan(facts: Facts, *, builder: str = app_release.REGISTRY) -> plans.Plan:
    """Build, upgrade region by region, try the broken release, go back region by region; pure.

    Raises:
        PlanError: the versions are not three, or a region has no release to come back to.
    """
    if len({facts.declared, facts.version, facts.broken_version}) != 3:  # noqa: PLR2004 - the three named
        raise errors.PlanError(
            f"the versions are {facts.declared} (declared), {facts.version} and "
            f"{facts.broken_version}: expected three different ones."
        )
    upgrades = facts.upgrade.regions
    steps = [
        *_chain(_plan_upgrade(one, facts.version, facts.source) for one in upgrades),
        _plan_broken(facts),
        *_chain(_plan_return(one) for one in upgrades),
    ]
    failing = (
        f"{facts.broken_version} is expected to fail: after {_PROGRESS_DEADLINE_SECONDS} s without "
        f"progress in {facts.broken.spec.location} it is taken back."
    )
    return plans.Plan(
        title=f"Upgrade the app to {facts.version}, break it with {facts.broken_version}, go back",
        changes=_list_changes(facts),
        steps=(*(() if facts.digest else (_plan_build(facts, builder),)), *steps),
        notes=(
            *(() if facts.digest else (app_release.UNKNOWN_DIGEST,)),
            "Pods are replaced one by one in one region after the other; no request may fail.",
            failing,
            f"At the end every region runs {facts.declared} again.",
        ),
    )


def _list_changes(facts: Facts) -> tuple[plans.Change, ...]:
    image = plans.Change(
        action="no_change" if facts.digest else "create",
        type="container image",
        name=f"{facts.version}, also named {facts.broken_version}",
        region="global",
    )
    upgraded = [
        replace(change, properties=(*facts.values[change.region], *change.properties))
        for change in release_steps.list_changes(facts.upgrade.regions)
    ]
    broken = release_steps.list_changes((facts.broken,))
    return (image, *upgraded, *(replace(one, name=f"{one.name} (broken)") for one in broken))


def _plan_build(facts: Facts, builder: str) -> plans.Step:
    return plans.Step(
        name=f"build {facts.version}",
        group="image",
        action="build_next_image",
        arguments={
            "version": facts.version,
            "broken_version": facts.broken_version,
            "source": facts.source,
            "builder": builder,
        },
        timeout_seconds=_BUILD_TIMEOUT_SECONDS,
    )


def _plan_upgrade(fact: release_steps.Fact, version: str, source: str) -> plans.Step:
    """With the way back for everything that follows in this region."""
    return plans.Step(
        name=f"upgrade {fact.spec.name} in {fact.spec.location} to {version}",
        group="upgrade",
        action="release_app",
        arguments={"role": fact.spec.role, "version": version, "source": source},
        undo=(plans.Undo("roll_back_release", _list_return_arguments(fact)),),
        timeout_seconds=_STEP_TIMEOUT_SECONDS,
    )


def _plan_broken(facts: Facts) -> plans.Step:
    fact = facts.broken
    return plans.Step(
        name=f"release {facts.broken_version}, which is broken, in {fact.spec.location}",
        group="broken release",
        action="release_broken_app",
        arguments={
            "role": fact.spec.role,
            "version": facts.broken_version,
            "built_as": facts.version,
            "source": facts.source,
            "since": _list_return_arguments(fact)["revision"],
        },
        timeout_seconds=_STEP_TIMEOUT_SECONDS,
    )


def _plan_return(fact: release_steps.Fact) -> plans.Step:
    arguments = _list_return_arguments(fact)
    return plans.Step(
        name=f"roll {fact.spec.name} in {fact.spec.location} back to {arguments['revision']}",
        group="roll back",
        action="roll_back_release",
        arguments=arguments,
        timeout_seconds=_STEP_TIMEOUT_SECONDS,
    )


def _list_return_arguments(fact: release_steps.Fact) -> dict[str, Any]:
    if fact.current is None:
        raise errors.PlanError(
            f"{fact.spec.name} is not installed in {fact.spec.location}: there is nothing to come "
            "back to. azrunbook run 03_release_app -p apply=true"
        )
    where = {"role": fact.spec.role, "name": fact.spec.name, "namespace": fact.spec.namespace}
    return {**where, "revision": fact.current.revision}


def _chain(steps: Iterable[plans.Step]) -> list[plans.Step]:
    """One after the other, so that a region that fails keeps the next from being touched."""
    chained: list[plans.Step] = []
    for step in steps:
        after = (chained[-1].name,) if chained else ()
        chained.append(replace(step, after=after))
    return chained


@actions.action("build_next_image")
def build_next_image(
    clients: connect.Clients,
    progress: actions.Progress,
    *,
    version: str,
    broken_version: str,
    source: str,
    builder: str,
) -> str:
    """Build the patched source that was planned with, under both names."""
    folder = clients.project / "app"
    if patched_source.digest(folder, version) != source:
        raise errors.StepError(
            f"{folder.name}/ has changed since the plan was made: expected source {source[:12]}. "
            "Run the notebook again to plan with what is there now."
        )
    with patched_source.copied(folder, version) as copy:
        return app_release.build(
            clients,
            progress,
            copy,
            version=version,
            source=source,
            builder=builder,
            also=(broken_version,),
        )


@actions.action("release_broken_app")
def release_broken_app(
    clients: connect.Clients,
    progress: actions.Progress,
    *,
    role: estate.RegionName,
    version: str,
    built_as: str,
    source: str,
    since: int,
) -> str:
    """Release what cannot come up, and see it taken back.

    ``built_as``: the version that its image was built as, from ``source``. ``since``: the revision
    before this run; a later one that was taken back is not tried again.

    Raises:
        StepError: it came up, or nobody took it back.
    """
    digest = app_release.get_digest(clients, built_as, source)
    specs = app_release.list_specs(clients, version, digest=digest)
    spec = _break(next(one for one in specs if one.role == role))
    region, failure = clients.region(role), "it came up although it is broken"
    helm = region.releases
    if repaired := helm.repair_pending(spec.name, spec.namespace):
        progress(repaired)
    if find_taken_back(helm.list_revisions(spec.name, spec.namespace), since) is None:
        with rollout_watch.told(region.workloads, spec.namespace, progress):
            try:
                helm.install_or_upgrade(
                    spec.name, spec.namespace, spec.chart, spec.values,
                    timeout=_HELM_PATIENCE_SECONDS,
                )  # fmt: skip
            except errors.CommandError as error:
                failure = str(error)
    taken_back = find_taken_back(helm.list_revisions(spec.name, spec.namespace), since)
    if taken_back is None:
        raise errors.StepError(
            f"release {version} in {spec.location} was not taken back: expected Helm to fail it "
            f"and to roll back by itself. {failure}"
        )
    failed, back = taken_back
    return f"revision {failed.number} failed ({failed.description}); {back.description}"


def find_taken_back(
    revisions: Sequence[releases.Revision], since: int
) -> tuple[releases.Revision, releases.Revision] | None:
    """The failed revision after ``since`` and the one that took it back, if there is one; pure."""
    later = [one for one in revisions if one.number > since]
    for failed, back in itertools.pairwise(later):
        if failed.status == "failed" and back.description.startswith("Rollback to"):
            return failed, back
    return None
