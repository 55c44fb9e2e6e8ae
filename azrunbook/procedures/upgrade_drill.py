"""Watch users' requests and every region's pods while releases come and go, and judge both.

The prober is that of the other drills (:mod:`drills`); what is added is the phases, which a
notebook begins one by one, and the pods by version. In a dry run nothing is watched.
"""

import functools
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from azrunbook import availability, checks, connect, estate, plots
from azrunbook.procedures import (
    app_release,
    app_upgrade,
    drills,
    release_steps,
    runs,
    upgrade_phases,
    version_watch,
    watching,
)

_AFTERWARDS_SECONDS = 5.0
_LOOK_SECONDS = 0.5
_DRY = "dry run: nothing was measured"
_BROKEN, _BACK = "broken release", "roll back"  # phases, named as their groups of steps


@dataclass(frozen=True)
class Seen:
    """What was seen of the whole drill; empty after a dry run.

    Attributes:
        traffic: every request, and the instants at which a phase began.
        phases: the baseline and the phases.
        replicas: the pods of every region, at every look.
    """

    traffic: drills.Observation
    phases: upgrade_phases.PhaseTable
    replicas: Sequence[version_watch.Replicas]

    def plot_requests(self) -> plots.Svg | str:
        """Which version answered, what failed, how long it took."""
        samples = self.traffic.samples
        if not samples:
            return _DRY
        title = "Requests by version"
        return plots.plot_traffic(samples, self.traffic.marks, title=title, by="version")

    def plot_replicas(self) -> plots.Svg | str:
        """Pods by version over time in every region."""
        if not self.replicas or not self.traffic.samples:
            return _DRY
        start, title = self.traffic.samples[0].at, "Replicas by version"
        return version_watch.plot(self.replicas, self.traffic.marks, start=start, title=title)


class Drill:
    """A prober and the watch of the pods at work for one run."""

    def __init__(
        self,
        run: runs.Run,
        drill: drills.Drill,
        watch: watching.Watch[version_watch.Replicas] | None,
    ) -> None:
        self._run = run
        self._drill = drill
        self._watch = watch
        self._begun: list[availability.Mark] = []

    def begin(self, phase: str) -> None:
        """A phase begins, and the one before it ends."""
        self._drill.mark(phase)
        self._begun.append(availability.Mark(time.time(), phase))

    def finish(self) -> Seen:
        """Keep asking for a while, then stop, and record what was seen."""
        traffic = self._drill.finish_after(_AFTERWARDS_SECONDS, title="The upgrade")
        ended_at = time.time()
        seen = self._watch.stop() if self._watch else []
        replicas = sorted(seen, key=lambda one: one.at)
        phases = upgrade_phases.split(traffic.samples, self._begun, ended_at)
        for phase in phases[1:]:
            self._run.metric(f"{phase.name} took", round(phase.seconds, 1), "s")
        for location in dict.fromkeys(one.location for one in replicas):
            fewest = version_watch.find_fewest_ready(replicas, location)
            self._run.metric(f"fewest ready in {location}", fewest, "replicas")
        if replicas:
            self._run.observe("replicas", version_watch.keep_changes(replicas))
            lines = (json.dumps(asdict(one)) + "\n" for one in replicas)
            (self._run.folder / "replicas.jsonl").write_text("".join(lines), encoding="utf-8")
        return Seen(traffic, phases, replicas)


def start(clients: connect.Clients, run: runs.Run, rate_per_second: int) -> Drill:
    """Start asking, wait for the steady state, and watch the pods from there.

    Raises:
        StepError: the public endpoint has no steady state to start from.
    """
    drill = drills.start(clients, run, rate_per_second)
    if not run.applies:
        return Drill(run, drill, None)
    looks = {
        f"pods of {region.location}": functools.partial(version_watch.look, clients, role)
        for role, region in clients.estate.regions.items()
    }
    watch = watching.Watch(looks, every_seconds=_LOOK_SECONDS)
    watch.start()
    return Drill(run, drill, watch)


def verify(
    clients: connect.Clients, seen: Seen, *, facts: app_upgrade.Facts, tolerance_ms: int
) -> list[checks.CheckResult]:
    """No request failed, no trigger was met, each phase did what it should, all is as before."""
    declared, version, location = facts.declared, facts.version, facts.broken.spec.location
    allowed = {declared, version}  # pods of the version before still answer while they go
    last = {_BROKEN: version, _BACK: declared}
    found = [
        seen.traffic.check_availability(100),
        *upgrade_phases.check_triggers(seen.phases, tolerance_seconds=tolerance_ms / 1000),
        *(
            upgrade_phases.check_versions(phase, ends_with=last.get(phase.name), allowed=allowed)
            for phase in seen.phases[1:]
        ),
    ]
    return [
        *found,
        *(_check_fewest(seen, one, clients.estate.app) for one in facts.upgrade.regions),
        checks.look(
            f"taken back in {location}",
            "the broken release failed, and Helm rolled it back",
            lambda: _check_taken_back(clients, facts),
        ),
        _check_images(clients, facts),
        *(
            one
            for spec in app_release.list_specs(clients, declared)
            for one in release_steps.check(clients, spec)
        ),
    ]


def _check_fewest(seen: Seen, fact: release_steps.Fact, app: estate.App) -> checks.CheckResult:
    location = fact.spec.location
    fewest = version_watch.find_fewest_ready(seen.replicas, location)
    return checks.CheckResult(
        name=f"ready replicas in {location}",
        passed=fewest >= app.replicas,
        criterion=f"never fewer than {app.replicas} ready, of whatever version",
        found=f"{fewest} at the fewest",
        advice="look at the strategy of the Deployment and at the plot of the replicas",
    )


def _check_taken_back(clients: connect.Clients, facts: app_upgrade.Facts) -> checks.CheckResult:
    spec, current = facts.broken.spec, facts.broken.current
    helm = clients.region(spec.role).releases
    revisions = helm.list_revisions(spec.name, spec.namespace)
    found = app_upgrade.find_taken_back(revisions, current.revision if current else 0)
    return checks.CheckResult(
        name=f"taken back in {spec.location}",
        passed=found is not None,
        criterion="the broken release failed, and Helm rolled it back",
        found=f"revision {found[0].number}: {found[0].status}; revision {found[1].number}: "
        f"{found[1].description}"
        if found
        else "no such revisions",
        advice="helm history",
    )


def _check_images(clients: connect.Clients, facts: app_upgrade.Facts) -> checks.CheckResult:
    digests = app_upgrade.list_digests(clients, facts)
    return checks.CheckResult(
        name="images",
        passed=len(digests) == len(set(digests.values())) == 2,  # noqa: PLR2004 - the two versions
        criterion=f"{facts.declared} and {facts.version} are two different images",
        found=", ".join(f"{name} {digest[:19]}" for name, digest in digests.items()) or "none",
        advice="look at what app/releases says the version changes",
    )
