"""The runbook's adapters, connected to servers of the sandbox in background threads."""

import asyncio
import dataclasses
import gc
import io
import ipaddress
import socket
import tarfile
import threading
import uuid
from pathlib import Path

import pytest
import yaml
from azure.identity import ClientSecretCredential

from azrunbook import (
    aks,
    arm as arm_adapter,
    estate,
    front_door,
    images,
    login_server,
    resources,
)
from azrunbook.resources import edge, model, references, registry
from azrunbook.sandbox import arm, tls
from azrunbook.sandbox.host import registries
from azrunbook.sandbox.kube import cluster as kube

POLLING_SECONDS = 0.05


class Clusters:
    """Stands where Kubernetes would: remembers which clusters run."""

    def __init__(self):
        self.running = {}

    async def ensure(self, cluster):
        self.running[cluster.name] = True

    async def stop(self, id_):
        self.running[id_.rpartition("/")[2]] = False

    async def start(self, id_):
        self.running[id_.rpartition("/")[2]] = True

    async def delete(self, id_):
        self.running.pop(id_.rpartition("/")[2], None)

    def kubeconfig(self, id_, user):
        name = f"{user} of {id_.split('/')[4]}"
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": name, "cluster": {"server": "https://127.0.0.1:9"}}],
                "users": [{"name": name, "user": {"token": "planted-cluster-token"}}],
                "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
                "current-context": name,
            }
        )


class Images:
    """Stands where the builder would: a Dockerfile that says FAIL fails."""

    async def build(self, context, dockerfile, names, log, *, arguments):
        with tarfile.open(fileobj=io.BytesIO(context)) as archive:
            text = archive.extractfile(dockerfile).read().decode()
            log(f"building {', '.join(names)} from {' '.join(archive.getnames())}")
            log(f"with {arguments}")
        if "FAIL" in text:
            raise arm.BackendError("BuildFailed", "the Dockerfile says FAIL")
        return "sha256:" + "ab" * 32

    async def take(self, names, digest, manifest, locate):
        """There are no nodes to run it."""


@dataclasses.dataclass
class Azure:
    """One emulated subscription and this package's clients of it."""

    server: arm.ArmServer
    settings: arm.ArmSettings
    ca_bundle: Path
    loop: asyncio.AbstractEventLoop
    clusters: Clusters
    subscription: str
    arm: arm_adapter.ArmClient
    aks: aks.ManagedClusters
    registry: images.Registry
    registries: registries.Registries
    login_server: login_server.LoginServer
    front_door: front_door.FrontDoor
    bad: arm_adapter.ArmClient

    @property
    def refresh_tokens(self):
        """What the registries gave out as passwords."""
        return list(self.registries._server._tokens._refresh)

    def call(self, function, *args):
        """Run a plain function on the server's loop."""

        async def run():
            return function(*args)

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(10)

    def _find(self, id_):
        type_ = model.IDENTITY if "Identities" in id_ else model.CLUSTER
        return self.arm.get(id_, model.get_api_version(type_))

    def put(self, one):
        """Create one desired resource and wait; what it refers to is asked for."""
        body = references.resolve(one.body, self._find)
        poller = self.arm.begin_put(one.id, one.api_version, body)
        return self.arm.wait(poller, what=f"put {one.name}", timeout=20)


@pytest.fixture(scope="session")
def dv():
    """The dv estate without its data services, which no test here looks at."""
    parts = dict.fromkeys(("postgres", "redis", "storage", "private_dns"))
    return estate.load("dv", Path(__file__).parents[2]).model_copy(update=parts)


@pytest.fixture
def make_azure(tmp_path, dv):
    """Start an ARM server with settings of the test's choice; stopped at the end."""
    started = []

    def make(**overrides):
        authority = tls.Authority()
        ca_bundle = tmp_path / "ca.pem"
        ca_bundle.write_bytes(authority.certificate_pem)
        settings = arm.ArmSettings(
            **{
                "address": "127.0.0.1",
                "port": 0,
                "tenant_id": str(uuid.uuid4()),
                "subscription_id": str(uuid.uuid4()),
                "client_id": str(uuid.uuid4()),
                "client_secret": "planted-secret",
                **overrides,
            }
        )
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        clusters = Clusters()
        builds = registries.Registries(
            address=settings.address,
            ssl_context=authority.server_context("*.azurecr.io", settings.address),
            folder=tmp_path / "registries",
            store=Images(),
            find_resources=lambda: server.store,
            is_token_valid=lambda token: server.is_token_valid(token),  # noqa: PLW0108 - made below
        )
        server = arm.ArmServer(settings, authority, arm.Backends(clusters, builds))
        for one in (server, builds):
            asyncio.run_coroutine_threadsafe(one.start(), loop).result(10)

        def credential(secret):
            return ClientSecretCredential(
                settings.tenant_id,
                settings.client_id,
                secret,
                authority=server.url,
                disable_instance_discovery=True,
                connection_verify=str(ca_bundle),
            )

        azure = _connect(server, loop, clusters, settings, ca_bundle, credential, dv, builds)
        started.append((azure, thread))
        return azure

    yield make
    for azure, thread in started:
        for client in (azure.arm, azure.bad, azure.aks):
            client.close()
        for one in (azure.registries, azure.server):
            asyncio.run_coroutine_threadsafe(one.stop(), azure.loop).result(10)
        azure.loop.call_soon_threadsafe(azure.loop.stop)
        thread.join(10)
        azure.loop.close()
    # What the servers leave in cycles has finalizers; run them here, at a known place: Python 3.11
    # can raise SystemError when they run in the middle of compiling a module.
    gc.collect()


def _connect(server, loop, clusters, settings, ca_bundle, credential, dv, registries_):
    options = {"ca_bundle": ca_bundle, "polling_interval_seconds": POLLING_SECONDS}
    right, wrong = credential(settings.client_secret), credential("wrong")
    client = arm_adapter.ArmClient(right, server.url, **options)
    subscription = settings.subscription_id
    login = login_server.LoginServer(
        f"{dv.registry.name}.azurecr.io",
        lambda: right.get_token(f"{server.url}/.default").token,
        connect_to=registries_.place,
        ca_bundle=ca_bundle,
    )
    return Azure(
        server=server,
        settings=settings,
        ca_bundle=ca_bundle,
        loop=loop,
        clusters=clusters,
        subscription=subscription,
        arm=client,
        bad=arm_adapter.ArmClient(wrong, server.url, **options),
        aks=aks.ManagedClusters(right, server.url, subscription_id=subscription, **options),
        registry=images.Registry(
            client,
            registry_id=registry.registry_id(dv, subscription),
            login_server=login,
            api_version=model.get_api_version(model.REGISTRY),
            **options,
        ),
        registries=registries_,
        login_server=login,
        front_door=front_door.FrontDoor(
            client,
            endpoint_id=edge.endpoint_id(dv, subscription),
            origin_group_id=edge.origin_group_id(dv, subscription),
            api_version=model.get_api_version(model.PROFILE),
        ),
    )


@pytest.fixture
def azure(make_azure):
    return make_azure()


@pytest.fixture
def provisioned(azure, dv):
    """The dv estate, put along its waves."""
    for one in resources.desired_resources(dv, azure.subscription):
        azure.put(one)
    return azure


@dataclasses.dataclass
class Kube:
    """One emulated cluster without nodes, and where to reach it."""

    cluster: kube.Cluster
    loop: asyncio.AbstractEventLoop
    kubeconfig: Path
    context: str = "east"

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    def call(self, function, *args, **options):
        """Run a plain function on the cluster's loop."""

        async def run():
            return function(*args, **options)

        return self.run(run())


@pytest.fixture
def kube_cluster(tmp_path):
    """A cluster's API server and controllers in a background thread."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = kube.ClusterConfig(
        name="aks",
        location="eastus",
        version="1.36.2",
        address="127.0.0.1",
        port=port,
        service_addresses=ipaddress.IPv4Network("127.77.2.0/23"),
        load_balancer_addresses=ipaddress.IPv4Network("127.77.1.0/24"),
    )
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    path = tmp_path / "kubeconfig"
    running = Kube(kube.Cluster(config, tls.Authority()), loop, path)
    running.run(running.cluster.start())
    path.write_text(yaml.safe_dump(running.cluster.kubeconfig("me", ["system:masters"], "east")))
    path.chmod(0o600)
    yield running
    running.run(running.cluster.stop())
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()
    gc.collect()
