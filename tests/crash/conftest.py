"""Shells to type commands in: one per test, and one per module with the estate already made."""

import crash_shell
import pytest


@pytest.fixture
def shell(tmp_path):
    """A shell without a sandbox."""
    with crash_shell.open_shell(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def estate(tmp_path_factory):
    """A shell with a sandbox that stays up and the estate on it, as declared; leave it so."""
    with crash_shell.open_shell(tmp_path_factory.mktemp("estate")) as made:
        assert made.run("sandbox", "up").code == 0
        with made.watch:
            done = made.apply("01_provision_estate", "02_roll_out_ingress", "03_release_app")
        assert done.code == 0, done.said
        yield made
