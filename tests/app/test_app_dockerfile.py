"""The image's recipe: what it is built from and how it starts."""

import json
import pathlib
import re
import shlex
import subprocess
import sys
from importlib import metadata

import pytest
from packaging import requirements

# What the image's base is, in the words of package markers.
IMAGE = {"python_version": "3.12", "python_full_version": "3.12.0", "extra": ""}
APP = pathlib.Path(__file__).parents[2] / "app"
HADOLINT = pathlib.Path(sys.executable).parent / "hadolint"


@pytest.fixture(scope="module")
def instructions():
    """The Dockerfile as (instruction, arguments) pairs, continued lines joined."""
    text = (APP / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines()]
    return [
        tuple(part.strip() for part in line.split(maxsplit=1))
        for line in lines
        if line and not line.startswith("#")
    ]


@pytest.fixture(scope="module")
def runtime(instructions):
    """The instructions of the last stage."""
    last = max(index for index, (name, _) in enumerate(instructions) if name == "FROM")
    return instructions[last:]


def only(pairs, wanted):
    [arguments] = [arguments for name, arguments in pairs if name == wanted]
    return arguments


def test_hadolint_finds_nothing():
    """The linter for Dockerfiles has nothing to say, not even at its lowest level."""
    done = subprocess.run(
        [HADOLINT, "--failure-threshold", "style", APP / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_pip_stays_in_the_builder(instructions, runtime):
    """Two stages of the same pinned base; only the first one installs."""
    bases = [arguments for name, arguments in instructions if name == "FROM"]
    assert bases == ["python:3.12-slim AS builder", "python:3.12-slim"]
    assert "RUN" in dict(instructions)
    assert "RUN" not in dict(runtime)


def test_processes_start_without_a_shell(runtime):
    """Signals reach the server, and the health check needs no shell."""
    assert json.loads(only(runtime, "CMD"))[0] == "gunicorn"
    options, _, command = only(runtime, "HEALTHCHECK").partition("CMD ")
    assert "--timeout=3s" in options
    assert json.loads(command)[0] == "python"


def test_user_is_a_number_other_than_root(runtime):
    """Kubernetes can verify runAsNonRoot only by number."""
    assert only(runtime, "USER") == "1000:1000"


def test_version_is_given_at_build_time(runtime):
    """One argument makes the release, and it reaches the application."""
    assert only(runtime, "ARG").startswith("APP_VERSION=")
    env = dict(pair.split("=", 1) for pair in shlex.split(only(runtime, "ENV")))
    assert env["APP_VERSION"] == "${APP_VERSION}"


def test_context_is_what_the_image_copies(instructions):
    """No other file can change the image, and none it needs is held back."""
    ignored = (APP / ".dockerignore").read_text().splitlines()
    rules = [line for line in ignored if line and not line.startswith("#")]
    copied = {
        part
        for name, arguments in instructions
        if name == "COPY" and "--from" not in arguments
        for part in arguments.split()[:-1]
    }
    assert rules[0] == "*"
    assert {rule.removeprefix("!") for rule in rules[1:]} == copied
    assert all((APP / path).exists() for path in copied)


def test_requirements_are_pinned_and_complete():
    """Every package by its exact version, dependencies too, from no named registry."""
    text = (APP / "src" / "requirements.txt").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    pins = dict(line.lower().split("==") for line in lines)
    assert all(re.fullmatch(r"\d+(\.\d+)+", version) for version in pins.values())
    assert "://" not in text
    asked = ("flask", "gunicorn", "psycopg", "psycopg-binary", "psycopg-pool", "redis")
    assert pins.keys() == set().union(*(_required_by(package) for package in asked))


def _required_by(package):
    found = {package}
    for line in metadata.requires(package) or []:
        requirement = requirements.Requirement(line)
        # Extras and markers of other interpreters are not installed in the image.
        if not requirement.marker or requirement.marker.evaluate(IMAGE):
            found |= _required_by(requirement.name.lower())
    return found


def test_health_check_passes_against_the_server(serve):
    """The image's own check, run as it is written, finds the server alive."""
    text = (APP / "Dockerfile").read_text()
    command = json.loads(re.search(r"HEALTHCHECK[^\n]*\\\n\s+CMD (\[.*\])", text)[1])
    host, port = serve().url.removeprefix("http://").split(":")
    for asked, status in ((port, 0), ("1", 1)):
        done = subprocess.run(
            [sys.executable, *command[1:]],
            env={"HOST": host, "PORT": asked},
            capture_output=True,
            check=False,
        )
        assert done.returncode == status, done.stderr
