"""An API server of its own for this folder: no controllers, real sockets, real clients."""

import asyncio
import base64
import os
import re
import shutil
import subprocess
import sys
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml
from kubernetes import client, config

from azrunbook.sandbox import tls
from azrunbook.sandbox.kube import registry, server
from azrunbook.sandbox.kube.access import authentication, bootstrap
from azrunbook.sandbox.kube.resources import ResourceTable
from azrunbook.sandbox.kube.store import Store

ADDRESS = "127.86.0.1"


@dataclass
class Api:
    """A running server: for looking inside, and for making clients."""

    registry: registry.Registry
    server: server.ApiServer
    authority: tls.Authority
    authenticator: authentication.Authenticator
    loop: asyncio.AbstractEventLoop
    folder: Path

    def kubeconfig(self, user, *groups, token=None):
        """A kubeconfig file for a certificate or a token."""
        pair = self.authority.issue_client(user, groups)
        credentials = {
            "client-certificate-data": base64.b64encode(pair.certificate_pem).decode(),
            "client-key-data": base64.b64encode(pair.key_pem).decode(),
        }
        if token is not None:
            credentials = {"token": token}
        ca = base64.b64encode(self.authority.certificate_pem).decode()
        data = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "k",
                    "cluster": {"server": self.server.url, "certificate-authority-data": ca},
                }
            ],
            "users": [{"name": "k", "user": credentials}],
            "contexts": [{"name": "k", "context": {"cluster": "k", "user": "k"}}],
            "current-context": "k",
        }
        path = self.folder / f"{user.replace(':', '-')}{'-token' if token else ''}.yaml"
        path.write_text(yaml.dump(data))
        return path

    def run(self, coroutine):
        """Run a coroutine on the server's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(120)


@pytest.fixture(scope="session")
def kube_api(tmp_path_factory):
    """A server on a free port, with an administrator's kubeconfig."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    authority = tls.Authority()
    machinery = registry.Registry(ResourceTable(), Store())
    bootstrap.seed(machinery)
    authenticator = authentication.Authenticator(machinery)
    api_server = server.ApiServer(machinery, authority, ADDRESS, 0, "1.36.2", authenticator)
    folder = tmp_path_factory.mktemp("kube")
    api = Api(machinery, api_server, authority, authenticator, loop, folder)
    api.run(api_server.start())
    yield api
    api.run(api_server.stop())
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture(scope="session")
def admin_config(kube_api):
    return kube_api.kubeconfig("admin", "system:masters")


@pytest.fixture
def api_client(admin_config):
    """The real client, as administrator."""
    made = config.new_client_from_config(str(admin_config))
    yield made
    made.close()


@pytest.fixture(scope="session")
def http(kube_api):
    """Plain HTTP as administrator, for what the real clients hide."""
    pair = kube_api.authority.issue_client("admin", ("system:masters",))
    context = kube_api.authority.client_context(pair)
    with httpx.Client(verify=context, base_url=kube_api.server.url, timeout=30) as made:
        yield made


@pytest.fixture
def core(api_client):
    return client.CoreV1Api(api_client)


@pytest.fixture
def ns(kube_api, request):
    """A namespace of the test's own."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:50].strip("-")
    name = f"{words}-{uuid.uuid4().hex[:6]}"
    namespaces = kube_api.registry.resources.get("", "namespaces")

    async def create():
        return kube_api.registry.create(namespaces, None, {"metadata": {"name": name}})

    return kube_api.run(create())["metadata"]["name"]


@pytest.fixture
def kubectl(admin_config, tmp_path):
    """Run kubectl; returns what it said, raises when it ends otherwise than with `code`."""
    beside = Path(sys.executable).with_name("kubectl")
    binary = str(beside) if beside.exists() else shutil.which("kubectl")
    if binary is None:
        pytest.skip("kubectl is not installed")

    def run(*arguments, text=None, code=0, **environment):
        environment |= {"KUBECONFIG": str(admin_config), "HOME": str(tmp_path)}
        environment.setdefault("PATH", os.environ["PATH"])  # of `diff`
        done = subprocess.run(
            [binary, *arguments],
            env=environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code == 0 else done.stdout + done.stderr

    run.binary = binary
    return run
