"""The registries' data plane: tokens, pushes, pulls, and a pushed image run by its digest."""

import json
import sys
import uuid

import pushing
import pytest

from azrunbook import connection, documents
from azrunbook.sandbox import lifecycle

API = "2025-11-01"
SITES = f"usr/local/lib/python3.{sys.version_info.minor}/site-packages"
CONFIG = json.dumps({"config": {"Cmd": ["python", "-u", "main.py"], "WorkingDir": "/app"}}).encode()
LAYER = pushing.make_layer(
    {
        "app/main.py": "import time, greeting\nprint(greeting.TEXT)\ntime.sleep(600)\n",
        f"{SITES}/greeting.py": "TEXT = 'hello from a push'\n",
    }
)
PUSH = "repository:team/app:pull,push"


@pytest.fixture
def registry(rack):
    """A registry in the shared sandbox, and its client, logged in to push one repository."""
    name = f"cr{uuid.uuid4().hex[:12]}"
    group = f"/subscriptions/{rack.id}/resourceGroups/rg-images"
    rack._put(group, "2025-04-01", {"location": "eastus"})
    resource = f"{group}/providers/Microsoft.ContainerRegistry/registries/{name}"
    rack._put(resource, API, {"location": "eastus", "sku": {"name": "Basic"}})
    found = documents.read(connection.Connection, lifecycle.connection_path(rack.home))
    client = pushing.Client(found.registry_connect_to, f"{name}.azurecr.io", found.ca_bundle)
    client.id = resource
    client.token = rack.token
    client.log_in(rack.token, PUSH)
    yield client
    client.http.close()


def test_what_was_pushed_is_pulled_by_tag_and_digest(registry):
    """The same bytes come back, and the digest is that of the manifest."""
    manifest = pushing.describe(CONFIG, LAYER)
    pushed = registry.push("team/app", "1.0.0", CONFIG, LAYER)
    assert pushed.headers["Docker-Content-Digest"] == pushing.digest(manifest)
    for reference in ("1.0.0", pushing.digest(manifest)):
        looked = registry.http.head(f"/v2/team/app/manifests/{reference}")
        assert looked.headers["Docker-Content-Digest"] == pushing.digest(manifest)
        assert registry.http.get(f"/v2/team/app/manifests/{reference}").content == manifest
    blob = registry.http.get(f"/v2/team/app/blobs/{pushing.digest(LAYER)}")
    assert blob.content == LAYER
    assert registry.http.get("/v2/team/app/tags/list").json()["tags"] == ["1.0.0"]


def test_what_was_deleted_is_gone(rack, registry):
    """A tag alone, a manifest with its tags, then the registry with all that it held."""
    for tag in ("1", "2"):
        registry.push("team/app", tag, CONFIG, LAYER)
    mounted = {"mount": pushing.digest(LAYER), "from": "team/app"}
    assert registry.http.post("/v2/team/app/blobs/uploads/", params=mounted).status_code == 201
    registry.log_in(registry.token, f"{PUSH},delete")
    manifests = "/v2/team/app/manifests"
    assert registry.http.delete(f"{manifests}/1").status_code == 202
    assert registry.http.get("/v2/team/app/tags/list").json()["tags"] == ["2"]
    digest = pushing.digest(pushing.describe(CONFIG, LAYER))
    assert registry.http.delete(f"{manifests}/{digest}").status_code == 202
    assert registry.http.head(f"{manifests}/2").status_code == 404
    rack.arm.wait(rack.arm.begin_delete(registry.id, API), what="delete", timeout=20)
    gone = registry.http.head(f"/v2/team/app/blobs/{pushing.digest(LAYER)}")
    assert gone.status_code == 404
    assert registry.exchange(registry.token).status_code == 400


def test_a_client_without_a_token_is_told_where_to_get_one(registry):
    """As Azure's registries say it: realm, service and the scope that is needed."""
    registry.http.headers.pop("Authorization")
    asked = registry.http.get("/v2/")
    assert (asked.status_code, asked.json()["errors"][0]["code"]) == (401, "UNAUTHORIZED")
    place = registry.http.base_url.netloc.decode()
    realm = f'Bearer realm="https://{place}/oauth2/token",service="{place}"'
    assert asked.headers["WWW-Authenticate"] == realm
    asked = registry.http.post("/v2/team/app/blobs/uploads/")
    assert asked.headers["WWW-Authenticate"] == f'{realm},scope="repository:team/app:push"'


@pytest.mark.parametrize(
    ("ask", "status", "code"),
    [
        (lambda client: client.exchange("no token"), 401, "UNAUTHORIZED"),
        (lambda client: client.exchange(client.token, service="x.azurecr.io"), 400, "BAD_REQUEST"),
        (lambda client: client.http.get("/oauth2/token"), 401, "UNAUTHORIZED"),
        (lambda client: client.http.get("/v2/team/other/tags/list"), 401, "UNAUTHORIZED"),
        (lambda client: client.http.get("/v2/team/app/manifests/no"), 404, "MANIFEST_UNKNOWN"),
        (
            lambda client: client.http.post(
                "/v2/team/app/blobs/uploads/", params={"digest": "sha256:" + "0" * 64}, content=b"x"
            ),
            400,
            "DIGEST_INVALID",
        ),
        (
            lambda client: client.put_manifest("team/app", "1", pushing.describe(b"never pushed")),
            400,
            "MANIFEST_BLOB_UNKNOWN",
        ),
        (lambda client: client.put_manifest("team/app", "1", b"{}"), 400, "MANIFEST_INVALID"),
    ],
)
def test_what_a_registry_refuses(registry, ask, status, code):
    """Status and code are the protocol's."""
    answer = ask(registry)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (status, code)


def test_a_cluster_runs_what_was_pushed_by_its_digest(rack, registry, wait_for):
    """With the role of its kubelets on the registry; an image nobody pushed is not found.

    Of an index, as docker pushes it, the nodes take what is for their platform.
    """
    registry.push("team/app", "1.0.0", CONFIG, LAYER)
    registry.push("team/app", "arm", b"{}", LAYER)
    index = pushing.describe_index(
        arm64=pushing.describe(b"{}", LAYER), amd64=pushing.describe(CONFIG, LAYER)
    )
    registry.put_manifest("team/app", "multi", index, pushing.INDEX).raise_for_status()
    digest = pushing.digest(index)
    rack.put_cluster("eastus", role="primary")
    cluster = rack.arm.get(rack.cluster_id("eastus"), "2026-08-01")
    kubelet = cluster["properties"]["identityProfile"]["kubeletidentity"]["objectId"]
    roles = "Microsoft.Authorization"
    rack._put(
        f"{registry.id}/providers/{roles}/roleAssignments/{uuid.uuid4()}",
        "2022-04-01",
        {
            "properties": {
                "principalId": kubelet,
                "roleDefinitionId": f"/subscriptions/{rack.id}/providers/{roles}/roleDefinitions/"
                "7f951dda-4ed3-4680-a7ca-43fe172d538d",
            }
        },
    )
    rack.kubectl("run", "pushed", f"--image={registry.registry}/team/app:1.0.0@{digest}")
    rack.kubectl("run", "unknown", f"--image={registry.registry}/team/app:2.0.0")
    wait_for(lambda: "hello from a push" in rack.kubectl("logs", "pushed", check=False), "its log")
    wait_for(lambda: "2.0.0: not found" in rack.kubectl("describe", "pod/unknown"), "not found")
