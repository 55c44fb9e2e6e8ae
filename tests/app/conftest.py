"""The application's source as a module, and as the server that the image's CMD starts."""

import dataclasses
import importlib.util
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

import httpx
import pytest

SOURCE = pathlib.Path(__file__).parents[2] / "app" / "src"


def wait_until(condition, *, timeout_seconds=10.0):
    """Look every 20 ms until the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + timeout_seconds
    pause = threading.Event()
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {timeout_seconds:g} s"
        pause.wait(0.02)
    return value


@dataclasses.dataclass
class Server:
    """A gunicorn of our own; only its master is signalled, as a kubelet does."""

    process: subprocess.Popen
    log_path: pathlib.Path
    url: str = ""

    @property
    def log(self):
        return self.log_path.read_text()

    def get(self, path, **options):
        """Ask over a connection of its own."""
        return httpx.get(self.url + path, timeout=10, **options)

    def is_draining(self):
        return self.get("/health").status_code == 503

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self, *, timeout_seconds=10.0):
        """Return the exit status."""
        return self.process.wait(timeout_seconds)

    def find_url(self):
        found = re.search(r"Listening at: (http://\S+)", self.log)
        return found[1] if found else None


@pytest.fixture(name="wait_until")
def _wait_until():
    return wait_until


@pytest.fixture
def serve(tmp_path):
    """Start servers with the given environment; kill what is left of them."""
    servers = []

    def start(**env):
        home = tmp_path / f"home-{len(servers)}"
        home.mkdir()
        log_path = tmp_path / f"server-{len(servers)}.log"
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", "main:app"],
                cwd=SOURCE,
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": str(home),
                    "PYTHONDONTWRITEBYTECODE": "1",
                    "HOST": "127.0.0.1",
                    "PORT": "0",
                    "REGION": "eastus",
                    **env,
                },
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        server = Server(process, log_path)
        servers.append(server)
        server.url = wait_until(server.find_url)
        server.get("/healthz")  # the socket listens before a worker answers
        return server

    yield start
    for server in servers:
        if server.process.poll() is None:
            os.killpg(server.process.pid, signal.SIGKILL)
            server.process.wait()


def load(name):
    """A module of app/src, which is in no package."""
    spec = importlib.util.spec_from_file_location(f"hello_world_{name}", SOURCE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def main():
    return load("main")


@pytest.fixture
def visits():
    return load("visits")


@pytest.fixture
def client_for(main):
    """A test client of an application with the given settings."""

    def build(**settings):
        return main.create_app(main.Settings(**settings)).test_client()

    return build
