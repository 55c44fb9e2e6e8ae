"""A small project of its own for each test, and an end of everything that it started."""

import os
import signal

import miniature_project
import pytest


@pytest.fixture
def project(tmp_path):
    made = miniature_project.make(tmp_path)
    yield made
    for process in made.started:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()
    for pid in made.list_processes():  # none in a test that passes; see the crash tests
        os.kill(pid, signal.SIGKILL)
