"""Procedure 03: build the application's image, release it in every region, prove it is served.

The image is built by the registry from ``app/`` as it is here, under the version's name; a build of
the same source under the same version is not repeated. The proof is the public endpoint: every
response says which region and release served it.
"""

import html
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import yaml

from azrunbook import checks, connect, errors, estate, images, plan as plans
from azrunbook.procedures import actions, credentials, drills, ingress_rollout, release_steps, runs

_BUILD_TIMEOUT_SECONDS = 900
_PROOF_SECONDS = 3.0


@dataclass(frozen=True)
class Facts:
    """The image and the release in every region.

    Attributes:
        image: the full name the release will use.
        source: digest of the source it is built from.
        is_built: whether the registry has built this image from this source already.
    """

    version: str
    image: str
    source: str
    is_built: bool
    releases: release_steps.Facts

    def _repr_html_(self) -> str:
        built = "in the registry" if self.is_built else "not built yet"
        return (
            f"<p><code>{html.escape(self.image)}</code> from source "
            f"<code>{self.source[:12]}</code>: {built}</p>{self.releases._repr_html_()}"
        )


def observe(
    clients: connect.Clients, *, version: str = "", roles: Collection[str] | None = None
) -> Facts:
    """Look for the image in the registry and for the release in every region, or in some."""
    version = version or clients.estate.app.version
    source = images.digest_context(clients.project / "app")
    found = clients.registry.find_build(_list_names(clients, version, source))
    return Facts(
        version=version,
        image=f"{clients.registry.login_server}/{clients.estate.app.image}:{version}",
        source=source,
        is_built=found is not None,
        releases=release_steps.Facts(
            release_steps.observe(
                clients,
                [one for one in list_specs(clients, version) if roles is None or one.role in roles],
            )
        ),
    )


def _list_names(clients: connect.Clients, version: str, source: str) -> list[str]:
    """The tags of one build: the version, and the version with its source, which never moves."""
    image = clients.estate.app.image
    return [f"{image}:{version}", f"{image}:{version}-{source[:12]}"]


def list_specs(clients: connect.Clients, version: str) -> list[release_steps.Spec]:
    """The application's release of each region."""
    app, folder = clients.estate.app, clients.project / "app"
    environment = yaml.safe_load((folder / f"values-{clients.estate.environment}.yaml").read_text())
    return [
        release_steps.Spec(
            role=role,
            location=region.location,
            name=app.release,
            namespace=app.namespace,
            chart=folder,
            values=ingress_rollout.merge(
                environment or {},
                plan_values(app, clients.registry.login_server, region.location, version)
                | {"data": {"secretName": credentials.find_name(clients.estate)}},
            ),
        )
        for role, region in clients.estate.regions.items()
    ]


def plan_values(app: estate.App, login_server: str, location: str, version: str) -> dict[str, Any]:
    """What the estate decides, in the chart's words; pure."""
    return {
        "replicaCount": app.replicas,
        "image": {"repository": f"{login_server}/{app.image}", "tag": version},
        "region": location,
        "ingress": {"enabled": True},
    }


def preflight(clients: connect.Clients) -> list[checks.CheckResult]:
    """The ingress is rolled out in every region, and the registry is there."""

    def find_registry() -> checks.CheckResult:
        name = clients.estate.registry.name
        found = clients.registry.find()
        return checks.CheckResult(
            name="registry",
            passed=found is not None,
            criterion=f"{name} exists",
            found="exists" if found is not None else "does not exist",
            advice="azrunbook run 01_provision_estate",
        )

    return [
        *ingress_rollout.verify(clients),
        checks.look("registry", f"{clients.estate.registry.name} exists", find_registry),
        *credentials.check_held(credentials.observe(clients)),
    ]


def plan(facts: Facts) -> plans.Plan:
    """Build what is not built, release where it differs; pure."""
    image = plans.Change(
        action="no_change" if facts.is_built else "create",
        type="container image",
        name=facts.image,
        region="global",
    )
    build = plans.Step(
        name=f"build {facts.image}",
        group="image",
        action="build_image",
        arguments={"version": facts.version, "source": facts.source},
        timeout_seconds=_BUILD_TIMEOUT_SECONDS,
    )
    regions = facts.releases.regions
    steps = [
        plans.Step(**{**vars(step), "arguments": {**step.arguments, "version": facts.version}})
        for step in release_steps.list_steps(regions, action="release_app")
    ]
    return plans.Plan(
        title=f"Release the app {facts.version}",
        changes=(image, *release_steps.list_changes(regions)),
        steps=(*(() if facts.is_built else (build,)), *steps),
    )


@actions.action("build_image")
def build_image(
    clients: connect.Clients, progress: actions.Progress, *, version: str, source: str
) -> str:
    """Have the registry build the image from the source that was planned with."""
    folder = clients.project / "app"
    if images.digest_context(folder) != source:
        raise errors.StepError(
            f"{folder.name}/ has changed since the plan was made: expected source {source[:12]}. "
            "Run the notebook again to plan with what is there now."
        )
    build = clients.registry.build(
        folder,
        names=_list_names(clients, version, source),
        timeout=progress.remaining_seconds,
        progress=progress,
    )
    return build.digest


@actions.action("release_app")
def release_app(
    clients: connect.Clients,
    progress: actions.Progress,
    *,
    role: estate.RegionName,
    version: str,
    takes_over: bool = False,
) -> str:
    """Install or upgrade the application of one region; see :func:`release_steps.release`."""
    spec = next(one for one in list_specs(clients, version) if one.role == role)
    return release_steps.release(clients, progress, spec, takes_over=takes_over)


def ask_public_endpoint(
    clients: connect.Clients, run: runs.Run, rate_per_second: int
) -> drills.Observation:
    """Wait until the edge finds an origin healthy, then ask for a few seconds."""
    drill = drills.start(clients, run, rate_per_second)
    return drill.finish_after(_PROOF_SECONDS, title="The public endpoint after the release")


def verify(
    clients: connect.Clients, traffic: drills.Observation, *, facts: Facts
) -> list[checks.CheckResult]:
    """Deployed and ready in every region, and served to the public."""
    specs = list_specs(clients, facts.version)

    def look(spec: release_steps.Spec) -> list[checks.CheckResult]:
        return release_steps.check(clients, spec)

    return [
        *(one for found in clients.for_each(look, specs) for one in found),
        traffic.check_availability(clients.estate.objectives.steady_availability_percent),
        traffic.check_release(facts.version),
    ]
