"""Procedure 03: build the application's image, release it in every region, prove it is served.

The image is built from ``app/`` as it is here, by the registry or a builder of this machine, under
the version's name; a build of the same source under the same version is not repeated. Released is
the digest that the registry has for that source, so a tag that moves later moves nothing that runs.
The proof is the public endpoint: every response says which region and release served it.
"""

import html
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from azrunbook import checks, connect, contexts, errors, estate, plan as plans
from azrunbook.procedures import (
    actions,
    credentials,
    drills,
    ingress_rollout,
    release_steps,
    runs,
    static_assets,
)

_BUILD_TIMEOUT_SECONDS = 900
_PROOF_SECONDS = 3.0
# The builder that works everywhere: Azure's own.
REGISTRY = "registry"
UNKNOWN_DIGEST = "The image's digest is known when it is built; the release is pinned to it then."


@dataclass(frozen=True)
class Facts:
    """The image and the release in every region.

    Attributes:
        image: the full name the release will use.
        source: digest of the source it is built from.
        digest: of the image that the registry has of this source; empty: it is not built yet.
    """

    version: str
    image: str
    source: str
    digest: str
    releases: release_steps.Facts
    assets: static_assets.Facts = static_assets.NONE

    @property
    def is_built(self) -> bool:
        return bool(self.digest)

    def _repr_html_(self) -> str:
        built = f"<code>{self.digest}</code>" if self.is_built else "not built yet"
        return (
            f"<p><code>{html.escape(self.image)}</code> from source "
            f"<code>{self.source[:12]}</code>: {built}</p>{self.releases._repr_html_()}"
        )


def observe(
    clients: connect.Clients, *, version: str = "", roles: Collection[str] | None = None
) -> Facts:
    """Look for the image in the registry and for the release in every region, or in some."""
    version = version or clients.estate.app.version
    source = contexts.digest(clients.project / "app")
    digest = clients.registry.find_digest(name_source(clients, version, source))
    specs = list_specs(clients, version, digest=digest)
    return Facts(
        version=version,
        image=f"{clients.registry.login_server}/{clients.estate.app.image}:{version}",
        source=source,
        digest=digest,
        releases=release_steps.Facts(
            release_steps.observe(
                clients, [one for one in specs if roles is None or one.role in roles]
            )
        ),
        assets=static_assets.observe(clients),
    )


def name_source(clients: connect.Clients, version: str, source: str) -> str:
    """``repository:tag`` of the build of a source; unlike the version's own tag it never moves."""
    return f"{clients.estate.app.image}:{version}-{source[:12]}"


def list_specs(
    clients: connect.Clients, version: str, *, digest: str | None = None
) -> list[release_steps.Spec]:
    """The application's release of each region.

    ``digest`` is the image's; None: what the registry has of the source that is here. Empty while
    that is not built: the tag alone is released.
    """
    app, folder = clients.estate.app, clients.project / "app"
    if digest is None:
        source = contexts.digest(folder)
        digest = clients.registry.find_digest(name_source(clients, version, source))
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
                plan_values(app, clients.registry.login_server, region.location, version, digest)
                | {"data": {"secretName": credentials.find_name(clients.estate)}},
            ),
        )
        for role, region in clients.estate.regions.items()
    ]


def plan_values(
    app: estate.App, login_server: str, location: str, version: str, digest: str
) -> dict[str, Any]:
    """What the estate decides, in the chart's words; pure."""
    image = {"repository": f"{login_server}/{app.image}", "tag": version, "digest": digest}
    return {
        "replicaCount": app.replicas,
        "image": image,
        "region": location,
        "ingress": {"enabled": True},
    }


def preflight(clients: connect.Clients, *, builder: str = REGISTRY) -> list[checks.CheckResult]:
    """The ingress is rolled out in every region, the registry is there, something can build."""

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
        *(() if builder == REGISTRY else (check_builder(clients, builder),)),
        *credentials.check_held(credentials.observe(clients)),
        *static_assets.check_reachable(static_assets.observe(clients)),
    ]


def check_builder(clients: connect.Clients, builder: str) -> checks.CheckResult:
    """A builder of this machine can build."""

    def choose() -> checks.CheckResult:
        return checks.CheckResult(
            name="builder",
            passed=True,
            criterion=f"{builder} can build here",
            found=str(clients.builder(builder)),
            advice="azrunbook doctor",
        )

    return checks.look("builder", f"{builder} can build here", choose)


def plan(facts: Facts, *, builder: str = REGISTRY) -> plans.Plan:
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
        arguments={"version": facts.version, "source": facts.source, "builder": builder},
        timeout_seconds=_BUILD_TIMEOUT_SECONDS,
    )
    uploads, uploading = static_assets.plan_uploads(facts.assets)
    regions = facts.releases.regions
    steps = [
        plans.Step(
            **{
                **vars(step),
                "arguments": {**step.arguments, "version": facts.version, "source": facts.source},
            }
        )
        for step in release_steps.list_steps(regions, action="release_app")
    ]
    return plans.Plan(
        title=f"Release the app {facts.version}",
        changes=(image, *uploads, *release_steps.list_changes(regions)),
        steps=(*(() if facts.is_built else (build,)), *uploading, *steps),
        notes=(
            *(() if facts.is_built else (UNKNOWN_DIGEST,)),
            *static_assets.list_notes(facts.assets),
        ),
    )


@actions.action("build_image")
def build_image(
    clients: connect.Clients,
    progress: actions.Progress,
    *,
    version: str,
    source: str,
    builder: str,
) -> str:
    """Build the image from the source that was planned with."""
    folder = clients.project / "app"
    if contexts.digest(folder) != source:
        raise errors.StepError(
            f"{folder.name}/ has changed since the plan was made: expected source {source[:12]}. "
            "Run the notebook again to plan with what is there now."
        )
    return build(clients, progress, folder, version=version, source=source, builder=builder)


def build(
    clients: connect.Clients,
    progress: actions.Progress,
    folder: Path,
    *,
    version: str,
    source: str,
    builder: str,
    also: Sequence[str] = (),
) -> str:
    """Build a folder's image as a version, as its source, and as further versions; tag and digest.

    Raises:
        PreflightError: the builder cannot build here.
        StepError: the build failed.
    """
    image = clients.estate.app.image
    names = [f"{image}:{one}" for one in (version, *also)]
    digest = clients.builder(builder).build(
        folder,
        names=[*names, name_source(clients, version, source)],
        arguments={"APP_VERSION": version},
        timeout=progress.remaining_seconds,
        progress=progress,
    )
    return f"{names[0]}@{digest}"


@actions.action("release_app")
def release_app(
    clients: connect.Clients,
    progress: actions.Progress,
    *,
    role: estate.RegionName,
    version: str,
    source: str,
    takes_over: bool = False,
) -> str:
    """Install or upgrade the application of one region; see :func:`release_steps.release`."""
    digest = get_digest(clients, version, source)
    specs = list_specs(clients, version, digest=digest)
    spec = next(one for one in specs if one.role == role)
    return release_steps.release(clients, progress, spec, takes_over=takes_over)


def get_digest(clients: connect.Clients, version: str, source: str) -> str:
    """The digest of what was built of a source.

    Raises:
        NotFoundError: the registry does not have it.
    """
    name = name_source(clients, version, source)
    if digest := clients.registry.find_digest(name):
        return digest
    raise errors.NotFoundError(
        f"{name} is not in {clients.registry.login_server}: expected the build of this source. "
        "Run the notebook again to build it."
    )


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
    digest = clients.registry.find_digest(name_source(clients, facts.version, facts.source))
    specs = list_specs(clients, facts.version, digest=digest)
    wanted = f"{facts.image}@{digest}"

    def look(spec: release_steps.Spec) -> list[checks.CheckResult]:
        return [*release_steps.check(clients, spec), check_image(clients, spec, wanted)]

    return [
        *(one for found in clients.for_each(look, specs) for one in found),
        traffic.check_availability(clients.estate.objectives.steady_availability_percent),
        traffic.check_release(facts.version),
        *static_assets.check_served(clients, facts.assets),
    ]


def check_image(
    clients: connect.Clients, spec: release_steps.Spec, wanted: str
) -> checks.CheckResult:
    """A region's pods are made of one image, by its digest."""
    name = f"image in {spec.location}"

    def look() -> checks.CheckResult:
        workloads = clients.region(spec.role).workloads
        deployments = workloads.list_deployments(spec.namespace, release=spec.name)
        found = sorted({image for one in deployments for image in one.images})
        return checks.CheckResult(
            name=name,
            passed=found == [wanted],
            criterion=wanted,
            found=", ".join(found) or "no Deployment",
            advice=f"kubectl get deployments -n {spec.namespace} -o wide; run this notebook again",
        )

    return checks.look(name, wanted, look)
