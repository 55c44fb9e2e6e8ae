"""An ARM server in a background thread, stub backends that record, and the real SDK clients."""

import asyncio
import contextlib
import dataclasses
import gc
import io
import tarfile
import threading
import time
import uuid
from pathlib import Path

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.core.pipeline import policies
from azure.core.polling import LROPoller
from azure.core.rest import HttpRequest
from azure.identity import ClientSecretCredential
from azure.mgmt.containerservice import ContainerServiceClient
from azure.mgmt.core import ARMPipelineClient
from azure.mgmt.core.exceptions import ARMErrorFormat
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy
from azure.mgmt.core.polling.arm_polling import ARMPolling

from azrunbook import documents, estate
from azrunbook.sandbox import arm, tls

ROOT = Path(__file__).parents[3]
LOCATION = "eastus"


class StubClusters:
    """Records what ARM asks for; can be made to wait or to fail."""

    def __init__(self):
        self.ensured = []
        self.calls = []
        self.failure = None
        self.release = None

    async def ensure(self, cluster):
        self.ensured.append(cluster)
        await self._act("ensure", cluster.id)

    async def stop(self, id_):
        await self._act("stop", id_)

    async def start(self, id_):
        await self._act("start", id_)

    async def delete(self, id_):
        await self._act("delete", id_)

    def kubeconfig(self, id_, user):
        return f"apiVersion: v1\nkind: Config\n# {user} of {id_}\n"

    async def _act(self, verb, id_):
        self.calls.append((verb, id_.rpartition("/")[2]))
        if self.release:
            await self.release.wait()
        if self.failure:
            raise self.failure


class StubImages:
    """Reads the Dockerfile out of the context and answers a digest of it."""

    async def build(self, context, dockerfile, names, log, *, arguments):  # noqa: ARG002
        with tarfile.open(fileobj=io.BytesIO(context)) as archive:
            text = archive.extractfile(dockerfile).read().decode()
        log(f"building {', '.join(names)}")
        if "FAIL" in text:
            raise arm.BackendError("BuildFailed", "the Dockerfile says FAIL")
        return "sha256:" + "ab" * 32


@dataclasses.dataclass
class Lab:
    """One running server with everything a test wants to reach."""

    server: arm.ArmServer
    settings: arm.ArmSettings
    clusters: StubClusters
    loop: asyncio.AbstractEventLoop
    ca_file: str

    @property
    def subscription(self):
        return f"/subscriptions/{self.settings.subscription_id}"

    def call(self, function, *args):
        """Run a plain function on the server's loop."""

        async def run():
            return function(*args)

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(10)

    def credential(self, **overrides):
        wanted = {
            "tenant_id": self.settings.tenant_id,
            "client_id": self.settings.client_id,
            "client_secret": self.settings.client_secret,
            **overrides,
        }
        return ClientSecretCredential(
            **wanted,
            authority=self.server.url,
            disable_instance_discovery=True,
            connection_verify=self.ca_file,
        )


VERSIONS = {
    "microsoft.network": "2026-03-01",
    "microsoft.containerservice": "2026-08-01",
    "microsoft.cdn": "2026-10-01",
    "microsoft.containerregistry": "2025-11-01",
    "microsoft.compute": "2024-07-01",
    "microsoft.storage": "2025-08-01",
}
ERRORS = {
    401: ClientAuthenticationError,
    404: ResourceNotFoundError,
    409: ResourceExistsError,
}


class Arm:
    """The generic ARM client: azure-mgmt-core's own pipeline and poller, any path."""

    def __init__(self, lab, credential=None, **options):
        self.lab = lab
        scope = f"{lab.server.url}/.default"
        self.client = ARMPipelineClient(
            base_url=lab.server.url,
            policies=[
                policies.RequestIdPolicy(),
                policies.ContentDecodePolicy(),
                policies.RetryPolicy(**options),
                ARMChallengeAuthenticationPolicy(credential or lab.credential(), scope),
            ],
            connection_verify=lab.ca_file,
        )

    def send(self, method, path, body=None, *, api=None, headers=None, params=None):
        """Return the pipeline response; raise as the SDKs do."""
        path = path if path.startswith("/subscriptions") else f"{self.lab.subscription}{path}"
        namespace = path.lower().partition("/providers/")[2].partition("/")[0]
        request = HttpRequest(
            method,
            self.client.format_url(path),
            params={"api-version": api or VERSIONS.get(namespace, "2025-04-01"), **(params or {})},
            json=body,
            headers=headers,
        )
        response = self.client.send_request(request, _return_pipeline_response=True)
        http = response.http_response
        if http.status_code >= 300:
            http.read()
            raise ERRORS.get(http.status_code, HttpResponseError)(
                response=http, error_format=ARMErrorFormat
            )
        return response

    def raw(self, method, path, body=None, **options):
        """Return the plain HTTP response."""
        return self.send(method, path, body, **options).http_response

    def get(self, path, **options):
        return self.raw("GET", path, **options).json()

    def post(self, path, body=None, **options):
        return self.raw("POST", path, body, **options).json()

    def begin(self, method, path, body=None, **options):
        """Return the SDK's own poller."""
        response = self.send(method, path, body, **options)
        return LROPoller(self.client, response, _json, ARMPolling(0.02))

    def put(self, path, body, **options):
        """Create or update, and wait."""
        return self.begin("PUT", path, body, **options).result(20)

    def delete(self, path, **options):
        """Delete, and wait."""
        self.begin("DELETE", path, **options).result(20)


def _json(response):
    http = response.http_response
    return http.json() if http.content else None


def wait_until(predicate, *, timeout_seconds=5.0):
    """Poll until the predicate holds; fail loudly at the deadline."""
    deadline = time.monotonic() + timeout_seconds
    tick = threading.Event()
    while not (found := predicate()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not true within {timeout_seconds} s")
        tick.wait(0.01)
    return found


@pytest.fixture
def until():
    return wait_until


@contextlib.contextmanager
def labs_in(folder):
    """Give a function that starts servers with settings of the test's choice; stop them all."""
    labs = []

    def make(**overrides):
        authority = tls.Authority()
        ca_file = folder / f"ca-{len(labs)}.pem"
        ca_file.write_bytes(authority.certificate_pem)
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
        clusters = StubClusters()
        server = arm.ArmServer(settings, authority, arm.Backends(clusters, StubImages()))
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
        lab = Lab(server, settings, clusters, loop, str(ca_file))
        labs.append((lab, thread))
        return lab

    try:
        yield make
    finally:
        for lab, thread in labs:
            asyncio.run_coroutine_threadsafe(lab.server.stop(), lab.loop).result(10)
            lab.loop.call_soon_threadsafe(lab.loop.stop)
            thread.join(10)
            lab.loop.close()
        # What the servers leave in cycles has finalizers; run them here, at a known place: Python
        # 3.11 can raise SystemError when they run in the middle of compiling a module.
        gc.collect()


@pytest.fixture
def make_lab(tmp_path):
    """Start servers with settings of the test's choice, and stop them all."""
    with labs_in(tmp_path) as make:
        yield make


@pytest.fixture(scope="module")
def module_lab(tmp_path_factory):
    """One server for all tests of a module that keep to groups of their own."""
    with labs_in(tmp_path_factory.mktemp("lab")) as make:
        yield make()


@pytest.fixture
def lab(make_lab):
    return make_lab()


@pytest.fixture
def make_arm():
    """The generic ARM client of a lab, with a group to put things in."""
    clients = []

    def make(lab, **options):
        client = Arm(lab, **options)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.client.close()


@pytest.fixture
def arm_client(lab, make_arm):
    client = make_arm(lab)
    client.put("/resourceGroups/rg", {"location": LOCATION})
    return client


@pytest.fixture
def make_aks():
    """The typed AKS client of a lab."""
    clients = []

    def make(lab, **options):
        client = ContainerServiceClient(
            lab.credential(),
            lab.settings.subscription_id,
            base_url=lab.server.url,
            credential_scopes=[f"{lab.server.url}/.default"],
            connection_verify=lab.ca_file,
            polling_interval=0.02,
            **options,
        )
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def cluster_body():
    """Return the body of a small cluster; pools and properties can be replaced."""

    def build(*, pools=None, **properties):
        system = {"name": "systempool", "count": 3, "vmSize": "Standard_D2s_v3", "mode": "System"}
        return {
            "location": LOCATION,
            "identity": {"type": "SystemAssigned"},
            "sku": {"name": "Base", "tier": "Standard"},
            "properties": {
                "kubernetesVersion": "1.36",
                "dnsPrefix": "demo",
                "agentPoolProfiles": [system] if pools is None else pools,
                **properties,
            },
        }

    return build


@pytest.fixture
def aks(arm_client, make_aks):
    return make_aks(arm_client.lab)


@pytest.fixture
def whole():
    """Production with everything that may be switched on."""
    declared = estate.load("prod")
    domain = estate.CustomDomain(name="hello-example-com", host_name="hello.example.com")
    door = declared.front_door.model_copy(update={"custom_domain": domain})
    return declared.model_copy(update={"front_door": door})


@pytest.fixture
def passive():
    """The design's own values: a cache of the older kind."""
    return documents.read(estate.Estate, ROOT / "tests/estates/seed.yaml")
