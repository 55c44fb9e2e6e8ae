"""Registries and builds on the server side, through the generic client and plain uploads."""

import io
import tarfile

import pytest
import requests
from azure.core.exceptions import HttpResponseError, ResourceExistsError

REGISTRY = "/resourceGroups/rg/providers/Microsoft.ContainerRegistry/registries/crDemo"
TASKS = "2025-03-01-preview"


@pytest.fixture
def registry(arm_client):
    """A registry that exists."""
    return arm_client.put(REGISTRY, {"location": "eastus", "sku": {"name": "Premium"}})


def context(dockerfile="FROM scratch\n"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo("Dockerfile")
        info.size = len(dockerfile)
        archive.addfile(info, io.BytesIO(dockerfile.encode()))
    return buffer.getvalue()


def build(lab, client, dockerfile="FROM scratch\n"):
    """Upload a context, schedule a run, and return it."""
    place = client.post(f"{REGISTRY}/listBuildSourceUploadUrl", api=TASKS)
    headers = {"x-ms-blob-type": "BlockBlob"}
    upload = requests.put(
        place["uploadUrl"], context(dockerfile), headers=headers, verify=lab.ca_file, timeout=10
    )
    assert upload.status_code == 201
    return client.post(f"{REGISTRY}/scheduleRun", request(place["relativePath"]), api=TASKS)


def request(source, **changes):
    return {
        "type": "DockerBuildRequest",
        "imageNames": ["app:1.0.0", "app:{{.Run.ID}}"],
        "isPushEnabled": True,
        "dockerFilePath": "Dockerfile",
        "sourceLocation": source,
        "platform": {"os": "Linux"},
        **changes,
    }


def finished(client, run, until):
    path = f"{REGISTRY}/runs/{run['properties']['runId']}"
    final = ("Succeeded", "Failed", "Canceled")
    return until(
        lambda: (found := client.get(path, api=TASKS)["properties"])["status"] in final and found
    )


def test_a_registry_has_its_login_server(registry):
    """The login server is lower case, whatever the name."""
    assert registry["properties"]["loginServer"] == "crdemo.azurecr.io"
    assert registry["name"] == "crDemo"


@pytest.mark.usefixtures("registry")
def test_a_build_gives_images_with_a_digest(lab, arm_client, until):
    """Both names carry the digest; the run id is put into the tag."""
    run = build(lab, arm_client)
    assert run["properties"]["status"] == "Queued"
    done = finished(arm_client, run, until)
    assert done["status"] == "Succeeded"
    assert [(image["repository"], image["tag"]) for image in done["outputImages"]] == [
        ("app", "1.0.0"),
        ("app", run["properties"]["runId"]),
    ]
    assert done["outputImages"][0]["digest"].startswith("sha256:")


@pytest.mark.usefixtures("registry")
def test_the_log_is_read_by_a_signed_url(lab, arm_client, until):
    """The link needs no token; with another signature it is refused."""
    run = build(lab, arm_client)
    finished(arm_client, run, until)
    path = f"{REGISTRY}/runs/{run['properties']['runId']}/listLogSasUrl"
    link = arm_client.post(path, api=TASKS)["logLink"]
    log = requests.get(link, verify=lab.ca_file, timeout=10)
    assert "building crdemo.azurecr.io/app:1.0.0" in log.text
    assert log.headers["x-ms-meta-complete"] == "succeeded"
    assert requests.get(f"{link}x", verify=lab.ca_file, timeout=10).status_code == 403


@pytest.mark.usefixtures("registry")
def test_a_failing_build_ends_failed_with_its_reason(lab, arm_client, until):
    """The backend's message is the run's."""
    done = finished(arm_client, build(lab, arm_client, "FAIL\n"), until)
    assert (done["status"], done["runErrorMessage"]) == ("Failed", "the Dockerfile says FAIL")
    assert "outputImages" not in done


@pytest.mark.usefixtures("registry")
def test_runs_are_listed_newest_first(lab, arm_client):
    """The list shows every run of the registry."""
    runs = [build(lab, arm_client) for _ in range(2)]
    listed = arm_client.get(f"{REGISTRY}/runs", api=TASKS)["value"]
    assert [run["name"] for run in listed] == [runs[1]["name"], runs[0]["name"]]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"type": "TaskRunRequest"}, "not emulated"),
        ({"sourceLocation": "source/nowhere.tar.gz"}, "was not uploaded"),
        ({"imageNames": []}, "imageNames"),
    ],
)
@pytest.mark.usefixtures("registry")
def test_a_run_that_cannot_be_is_refused(arm_client, changes, match):
    """Refused before it is queued."""
    with pytest.raises(HttpResponseError, match=match):
        arm_client.raw("POST", f"{REGISTRY}/scheduleRun", request("a", **changes), api=TASKS)


@pytest.mark.usefixtures("registry")
def test_a_name_is_available_once(arm_client):
    """Names are unique in the whole cloud, in any letter case."""
    path = "/providers/Microsoft.ContainerRegistry/checkNameAvailability"
    answers = {
        name: arm_client.post(path, {"name": name})["nameAvailable"]
        for name in ("crdemo", "crother", "no")
    }
    assert answers == {"crdemo": False, "crother": True, "no": False}
    arm_client.put("/resourceGroups/other", {"location": "eastus"})
    taken = REGISTRY.replace("/rg/", "/other/")
    with pytest.raises(ResourceExistsError):
        arm_client.raw("PUT", taken, {"location": "eastus", "sku": {"name": "Basic"}})
