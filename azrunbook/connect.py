"""The seam: from the name of a target to real clients. The only module that knows the sandbox.

Whatever the target is, it is data (:mod:`azrunbook.connection`), and the same clients are made of
it; nothing above this module can tell a sandbox from Azure. SDKs are imported when the first
client is asked for, because a command line must answer before they are loaded.
"""

import functools
import time
import types
from collections.abc import Callable, Iterable, Mapping
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from azrunbook import binaries, connection, errors, estate, resources, secrets, summaries
from azrunbook.resources import model

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from azrunbook import (
        activity_log,
        aks,
        arm,
        blobs,
        front_door,
        images,
        kube_secrets,
        live_objects,
        local_builds,
        login_server,
        nodes,
        outputs,
        postgres,
        redis,
        releases,
        terraform,
        traffic,
        visits,
        workloads,
    )

_SUBSCRIPTIONS_API = "2022-12-01"
_CLUSTER_TYPE = "microsoft.containerservice/managedclusters"
_OPERATION_SECONDS = 1800.0
_WORKERS = 8
_T = TypeVar("_T")
_R = TypeVar("_R")
Tell = Callable[[str], None]


@dataclass(frozen=True)
class RegionClients:
    """What talks to one region's cluster."""

    kubeconfig: Path
    releases: "releases.Releases"
    workloads: "workloads.Workloads"
    nodes: "nodes.Nodes"
    secrets: "kube_secrets.Secrets"
    objects: "live_objects.LiveObjects"


class Clients:
    """Everything a procedure may talk to, for one environment and one target."""

    def __init__(self, project: Path, environment: str, target: connection.Connection) -> None:
        self.project = project
        self.connection = target
        self.estate = estate.load(environment, project)
        self.ingress = estate.load_ingress(environment, project)
        self._regions: dict[str, RegionClients] = {}

    @property
    def subscription_id(self) -> str:
        return self.connection.subscription_id

    @functools.cached_property
    def _credential(self) -> "TokenCredential":
        from azure import identity

        known = self.connection.credential
        if known is None:
            return identity.DefaultAzureCredential()
        ca_bundle = self.connection.ca_bundle
        secret = known.client_secret_file.read_text(encoding="utf-8").strip()
        secrets.register(secret)
        return identity.ClientSecretCredential(
            self.connection.tenant_id,
            known.client_id,
            secret,
            authority=self.connection.authority,
            disable_instance_discovery=self.connection.authority != connection.PUBLIC_AUTHORITY,
            connection_verify=str(ca_bundle) if ca_bundle else True,
        )

    @functools.cached_property
    def arm(self) -> "arm.ArmClient":
        from azrunbook import arm

        return arm.ArmClient(
            self._credential,
            self.connection.resource_manager,
            ca_bundle=self.connection.ca_bundle,
            polling_interval_seconds=self.connection.polling_interval_seconds,
        )

    @functools.cached_property
    def clusters(self) -> "aks.ManagedClusters":
        from azrunbook import aks

        return aks.ManagedClusters(
            self._credential,
            self.connection.resource_manager,
            subscription_id=self.subscription_id,
            ca_bundle=self.connection.ca_bundle,
            polling_interval_seconds=self.connection.polling_interval_seconds,
        )

    @functools.cached_property
    def activity_log(self) -> "activity_log.ActivityLog":
        from azrunbook import activity_log

        known = self.connection.credential
        application = known.client_id if known else ""
        return activity_log.ActivityLog(self.arm, self.subscription_id, application=application)

    @functools.cached_property
    def terraform(self) -> "terraform.Terraform":
        """The environment's root module, its state this target's.

        Raises:
            PreflightError: neither terraform nor tofu is on this machine.
        """
        from azrunbook import terraform

        environment = self.estate.environment
        return terraform.Terraform(
            self.project / "infra" / environment,
            binaries.require("terraform").path,
            data=connection.find_home() / "terraform" / f"{self.connection.name}-{environment}",
            workspace=terraform.find_workspace(self.connection),
            environment=terraform.list_variables(self.connection),
        )

    @functools.cached_property
    def front_door(self) -> "front_door.FrontDoor":
        from azrunbook import front_door

        settings = self.estate.front_door
        endpoint = self._find_declared(settings.endpoint)
        return front_door.FrontDoor(
            self.arm,
            endpoint_id=endpoint.id,
            origin_group_id=self._find_declared(settings.origin_group).id,
            api_version=endpoint.api_version,
        )

    @functools.cached_property
    def postgres(self) -> "postgres.FlexibleServers":
        from azrunbook import postgres

        return postgres.FlexibleServers(self.arm, api_version=model.get_api_version(model.SERVER))

    @functools.cached_property
    def redis(self) -> "redis.ManagedDatabases":
        from azrunbook import redis

        api_version = model.get_api_version(model.MANAGED_CACHE_DATABASE)
        return redis.ManagedDatabases(self.arm, api_version=api_version)

    @functools.cached_property
    def registry(self) -> "images.Registry":
        from azrunbook import images

        declared = self._find_declared(self.estate.registry.name)
        return images.Registry(
            self.arm,
            registry_id=declared.id,
            login_server=self._login_server,
            api_version=declared.api_version,
            ca_bundle=self.connection.ca_bundle,
            polling_interval_seconds=self.connection.polling_interval_seconds,
        )

    def builder(self, name: str) -> "images.Registry | local_builds.LocalBuilds":
        """What builds and pushes images; names and errors as :func:`local_builds.find`."""
        from azrunbook import local_builds

        tool = local_builds.find(name)
        return local_builds.LocalBuilds(tool, self._login_server) if tool else self.registry

    @functools.cached_property
    def _login_server(self) -> "login_server.LoginServer":
        from azrunbook import login_server

        return login_server.open_registry(
            self._credential, self.connection, self.estate.registry.name
        )

    def static_container(self, role: str) -> "blobs.Container":
        """The container of static assets in one region's storage account."""
        from azrunbook import blobs

        region = self.estate.get_region(role)[1]
        return blobs.open_static(self._credential, self.connection, self.estate, region)

    def read_outputs(self) -> "outputs.Outputs":
        """Ask Azure for what the next layers need of the estate; see :mod:`azrunbook.outputs`."""
        from azrunbook import outputs

        return outputs.read(self.arm, self.estate, self.subscription_id)

    def _find_declared(self, name: str) -> resources.DesiredResource:
        declared = resources.desired_resources(self.estate, self.subscription_id)
        return next(one for one in declared if one.name == name)

    def region(self, role: str) -> RegionClients:
        """The clients of one region's cluster; fetches its credentials the first time.

        Raises:
            NotFoundError: no such region in the estate, or no such cluster in Azure.
        """
        name, declared = self.estate.get_region(role)
        if name not in self._regions:
            from azrunbook import (
                kube_api,
                kube_secrets,
                kubeconfigs,
                live_objects,
                nodes,
                releases,
                workloads,
            )

            def fetch() -> tuple[Path, str]:
                text = self.clusters.get_credentials(
                    declared.resource_group, self.estate.cluster.name
                )
                key = f"{self.connection.name}-{self.estate.environment}-{name}"
                path = connection.find_home() / "kube" / f"{key}.yaml"
                return path, kubeconfigs.keep(text, path)

            path, context = fetch()
            api = kube_api.KubeApi(path, context, renew=fetch)
            helm = binaries.require("helm").path
            self._regions[name] = RegionClients(
                kubeconfig=path,
                releases=releases.Releases(path, context, helm, renew=fetch),
                workloads=workloads.Workloads(api),
                nodes=nodes.Nodes(api),
                secrets=kube_secrets.Secrets(api),
                objects=live_objects.LiveObjects(api),
            )
        return self._regions[name]

    def for_each(self, look: Callable[[_T], _R], items: Iterable[_T]) -> list[_R]:
        """Do something for every region at once; results in the order of the items."""
        with futures.ThreadPoolExecutor(max_workers=_WORKERS) as pool:
            return list(pool.map(look, items))

    def put(
        self,
        resource_id: str,
        api_version: str,
        body: Mapping[str, Any],
        *,
        timeout: float = _OPERATION_SECONDS,
        progress: Tell | None = None,
    ) -> None:
        """Put a resource, keeping what others decided about it, and wait until Azure has it."""
        what = f"put {resource_id.rpartition('/')[2]}"
        actual = self.arm.find(resource_id, api_version)
        whole = resources.merge_body(body, actual) if actual else body
        parent, _, name = resource_id.rpartition("/")
        if parent.lower().endswith(_CLUSTER_TYPE):
            group = resource_id.split("/")[4]
            cluster = self.clusters.begin_create_or_update(
                group, name, whole, patience=timeout, progress=progress
            )
            self.clusters.wait(cluster, what=what, timeout=timeout, progress=progress)
            return
        poller = self.arm.begin_put(
            resource_id, api_version, whole, patience=timeout, progress=progress
        )
        self.arm.wait(poller, what=what, timeout=timeout, progress=progress)

    def delete(
        self,
        resource_id: str,
        api_version: str,
        *,
        timeout: float = _OPERATION_SECONDS,
        progress: Tell | None = None,
    ) -> None:
        """Delete a resource and wait until it is gone."""
        poller = self.arm.begin_delete(
            resource_id, api_version, patience=timeout, progress=progress
        )
        what = f"delete {resource_id.rpartition('/')[2]}"
        self.arm.wait(poller, what=what, timeout=timeout, progress=progress)

    def pull_chart(self, repository: str, chart: str, version: str) -> Path:
        """Fetch a chart from its repository, or from where this target mirrors it."""
        from azrunbook import charts

        return charts.pull_chart(
            self.connection.chart_mirrors.get(repository, repository),
            chart,
            version,
            cache=connection.find_home() / "charts",
            helm=binaries.require("helm").path,
            ca_bundle=self.connection.ca_bundle,
        )

    @functools.cached_property
    def public_url(self) -> str:
        """Where users reach the application, without a trailing slash."""
        return f"https://{self.front_door.get_endpoint_host()}"

    def prober(self, path: str, **asking: Any) -> "traffic.Prober":
        """A prober of the public endpoint, not started yet; how it asks is its own to say."""
        from azrunbook import traffic

        return traffic.Prober(
            f"{self.public_url}{path}",
            connect_to=self.connection.public_connect_to,
            ca_bundle=self.connection.ca_bundle,
            **asking,
        )

    def visits(self) -> "visits.Visits":
        """The application's visits through the public endpoint; a context manager."""
        from azrunbook import visits

        return visits.Visits(
            self.public_url,
            connect_to=self.connection.public_connect_to,
            ca_bundle=self.connection.ca_bundle,
        )

    def summary(self) -> summaries.Summary:
        """Where this leads and as whom; Azure Resource Manager was asked and answered."""
        return self._summary

    @functools.cached_property
    def _summary(self) -> summaries.Summary:
        started = time.monotonic()
        found = self.arm.get(f"/subscriptions/{self.subscription_id}", _SUBSCRIPTIONS_API)
        asked = (time.monotonic() - started) * 1000
        regions = ", ".join(f"{role} {one.location}" for role, one in self.estate.regions.items())
        known = self.connection.credential
        rows = {
            "target": self.connection.name,
            "environment": self.estate.environment,
            "resource manager": f"{self.connection.resource_manager} (answered in {asked:.0f} ms)",
            "subscription": f"{found.get('displayName', '')} {self.subscription_id}".strip(),
            "identity": f"service principal {known.client_id}" if known else "default credential",
            "regions": regions,
            "cluster": f"{self.estate.cluster.name}, {self.estate.cluster.kubernetes_version}",
        }
        helm = binaries.find("helm")
        return summaries.Summary(
            {**rows, "helm": f"{helm.version} ({helm.origin})" if helm else "missing"}
        )


def connect(environment: str, target: str = "sandbox") -> Clients:
    """Make the clients of an environment on a target; asks nothing yet.

    Args:
        environment: ``dv``, ``staging`` or ``prod``.
        target: ``sandbox``, ``azure``, or the path of a connection file.

    Raises:
        EstateError: a file of the environment is wrong.
        ConnectError: there is no such target, or no sandbox is running.
    """
    if target == "sandbox" and not sandbox_lifecycle().is_running(connection.find_home()):
        raise errors.ConnectError("no sandbox is running. Start one: azrunbook sandbox up")
    return Clients(estate.find_project(), environment, connection.find(target))


def sandbox_lifecycle() -> types.ModuleType:
    """What starts, stops and asks a sandbox: :mod:`azrunbook.sandbox.lifecycle`."""
    from azrunbook.sandbox import lifecycle

    return lifecycle
