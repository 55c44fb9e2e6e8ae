"""Images built on this machine: which builder, what it is told, what comes of it."""

import pathlib
import subprocess
import sys

import pytest

from azrunbook import errors, local_builds

STAND_IN = pathlib.Path(__file__).parent / "stand_in_builder.py"
NAMES = ["team/app:1.0.0", "team/app:1.0.0-abc"]


@pytest.fixture
def bin_folder(tmp_path, monkeypatch):
    """A PATH with nothing but what a test puts there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def put(bin_folder):
    """Put a script of a few words on the PATH."""

    def put(name, script):
        path = bin_folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    return put


@pytest.fixture
def stand_in(bin_folder):
    """Put the stand-in on the PATH under a builder's name."""

    def place(name):
        path = bin_folder / name
        path.write_text(f"#!{sys.executable}\n{STAND_IN.read_text()}")
        path.chmod(0o755)
        return local_builds.look(name)

    return place


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "app"
    folder.mkdir(mode=0o700)
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY main.py /\n")
    (folder / "main.py").write_text("print()\n")
    (folder / "main.py").chmod(0o600)
    return folder


def build(tool, azure, source, told=None, timeout=150):
    builds = local_builds.LocalBuilds(tool, azure.login_server)
    return builds.build(
        source,
        names=NAMES,
        arguments={"APP_VERSION": "1.0.0"},
        timeout=timeout,
        progress=(told if told is not None else []).append,
    )


@pytest.mark.parametrize("name", local_builds.PROBES)
def test_a_build_is_pushed_under_its_names_and_the_registry_says_its_digest(
    provisioned, stand_in, source, name
):
    """Both tags have the digest; its lines are told; the login is in a file of this user's only."""
    told = []
    tool = stand_in(name)
    assert (tool.version, tool.problem) == ("9.8.7", "")
    digest = build(tool, provisioned, source, told)
    assert [provisioned.registry.find_digest(one) for one in NAMES] == [digest] * 2
    assert told[0] == f"{name} 9.8.7 builds team/app:1.0.0"
    assert f"{name} has FROM scratch" in told
    folder = pathlib.Path(tool.path).parent
    assert (folder / "modes").read_text() == "600 700"
    lines = (folder / "argv").read_text()
    assert "--build-arg APP_VERSION=1.0.0" in lines
    assert provisioned.refresh_tokens
    assert not any(token in lines for token in provisioned.refresh_tokens)


def test_a_failed_build_names_the_step_and_ends_its_log(provisioned, stand_in, source):
    """In the words of each builder; nothing is pushed."""
    (source / "Dockerfile").write_text("FROM FAIL\n")
    for name in local_builds.PROBES:
        with pytest.raises(errors.StepError, match="build failed at 'RUN make'") as caught:
            build(stand_in(name), provisioned, source)
        assert "no rule" in str(caught.value)
    assert provisioned.registry.find_digest(NAMES[0]) == ""


def test_a_build_that_does_not_end_is_ended(provisioned, stand_in, source):
    """At its deadline, and nothing is pushed."""
    (source / "Dockerfile").write_text("HANG\n")
    tool = stand_in("podman")
    with pytest.raises(errors.StepError, match="podman build was ended at its deadline"):
        build(tool, provisioned, source, timeout=0.5)
    assert "push" not in (pathlib.Path(tool.path).parent / "argv").read_text()


NO_ENGINE = """
echo 'Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?' >&2
exit 1
"""


def test_a_client_without_an_engine_is_of_no_use(put):
    """It says why, and the next builder is tried."""
    put("docker", NO_ENGINE)
    assert "Is the docker daemon running?" in local_builds.look("docker").problem
    put("podman", "echo 5.1.2")
    assert local_builds.find_usable().name == "podman"
    with pytest.raises(errors.PreflightError, match=r"docker cannot build .*\(Cannot connect"):
        local_builds.require("docker")


@pytest.mark.usefixtures("bin_folder")
def test_without_a_builder_the_registry_is_named():
    """None is found; asking for one by name says what to do instead."""
    assert local_builds.find_usable() is None
    for name in local_builds.PROBES:
        with pytest.raises(errors.PreflightError, match=r"not on PATH.*-p builder=registry"):
            local_builds.require(name)


@pytest.mark.needs_buildah
@pytest.mark.parametrize("name", local_builds.PROBES)
def test_the_real_program_pushes_to_a_registry_behind_azure_s_tokens(
    provisioned, source, monkeypatch, tmp_path, name
):
    """Built from scratch, pushed, its digest read; what can has a storage of its own."""
    tool = local_builds.look(name)
    if tool.problem:
        pytest.skip(f"no image was pushed by {name}: {tool.problem}. make image-check")
    storage = tmp_path / "storage.conf"
    storage.write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/graph"\nrunroot = "{tmp_path}/run"\n'
    )
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(storage))
    monkeypatch.setenv("BUILDAH_ISOLATION", "chroot")
    told = []
    digest = build(tool, provisioned, source, told)
    places = [f"{provisioned.login_server.place}/{one}" for one in NAMES]
    subprocess.run([tool.path, "rmi", *places], check=True, stdout=subprocess.DEVNULL)
    assert any(line.endswith("COPY main.py /") for line in told), told
    assert provisioned.registry.find_digest(NAMES[1]) == digest
