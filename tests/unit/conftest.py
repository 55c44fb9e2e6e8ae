"""A world that runs can change, and clients that reach nothing else."""

from types import SimpleNamespace

import pytest


@pytest.fixture
def world(monkeypatch, tmp_path):
    """A project folder, and what the test's actions do to it: names of things that are there."""
    for folder in ("infra", "notebooks"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path)
    return SimpleNamespace(things=[], folder=tmp_path, broken=set(), barrier=None)


@pytest.fixture
def clients(world):
    return SimpleNamespace(
        world=world,
        estate=SimpleNamespace(environment="dv"),
        connection=SimpleNamespace(name="here"),
        summary=lambda: "the world",
    )
