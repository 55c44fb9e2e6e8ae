"""The image itself: app/Dockerfile built by buildah, and run as a cluster would run it.

Needs buildah and root (a chroot, mounts of its own); ``make image-check`` runs it. No registry and
no index are asked: see :mod:`base_image`.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

import base_image
import httpx
import psutil
import pytest

pytestmark = [pytest.mark.needs_buildah, pytest.mark.slow]
APP = pathlib.Path(__file__).parents[2] / "app"
USER = 1000
BASE = """
FROM scratch
COPY root /
ENV PATH=/usr/local/bin:/bin PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels
"""
# As process 1 of namespaces of its own, over a root that cannot be written, with the chart's /tmp.
RUN = """
set -e
mount --bind "$0" "$0"
mount --rbind /dev "$0/dev"
mount -t tmpfs -o mode=1777 shm "$0/dev/shm"
mount -t proc proc "$0/proc"
mount -o remount,bind,ro "$0"
mount -t tmpfs -o mode=1777 tmp "$0/tmp"
cd "$0"
exec "$@"
"""


class Buildah:
    """buildah with a storage of its own, which goes with the folder."""

    def __init__(self, folder):
        self._options = ["--root", folder / "root", "--runroot", folder / "run",
                         "--storage-driver", "vfs"]  # fmt: skip

    def __call__(self, command, *arguments):
        done = subprocess.run(
            ["buildah", *self._options, command, *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()


@pytest.fixture(scope="module")
def buildah():
    """Not in pytest's folders: others may not enter those, and the image's user is another."""
    if shutil.which("buildah") is None or os.geteuid() != 0:
        pytest.skip("app/Dockerfile was not built: no buildah, or not root. "
                    "apt-get install buildah; make image-check")  # fmt: skip
    folder = pathlib.Path(tempfile.mkdtemp(prefix="azrunbook-buildah-"))
    folder.chmod(0o755)
    tool = Buildah(folder)
    yield tool
    tool("rm", "--all")
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def image(buildah, tmp_path_factory):
    """The built image: its configuration, and its files at a folder."""
    base = tmp_path_factory.mktemp("base")
    base_image.fill(base / "root", APP / "src/requirements.txt")
    (base / "Dockerfile").write_text(BASE)
    buildah("build", "--tag", base_image.NAME, base)
    buildah(
        "build", "--isolation", "chroot", "--format", "docker", "--pull-never", "--tag", "app",
        "--build-arg", "APP_VERSION=1.2.3", APP,
    )  # fmt: skip
    container = buildah("from", "--pull-never", "app")
    config = json.loads(buildah("inspect", "--type", "image", "app"))["Docker"]["config"]
    return config, pathlib.Path(buildah("mount", container))


class Container:
    """The image's command as process 1."""

    def __init__(self, image, log):
        config, root = image
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        env = [*config["Env"], "HOST=127.0.0.1", f"PORT={self.port}", "DRAIN_SECONDS=0.2"]
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [
                    *("unshare", "--mount", "--pid", "--fork", "--kill-child"),
                    *("sh", "-c", RUN, root, "env", "-i", *env),
                    *(shutil.which("chroot"), f"--userspec={config['User']}", "--groups=", root),
                    *("python3", "-c", CHDIR, config["WorkingDir"], *config["Cmd"]),
                ],
                stdout=output,
                stderr=output,
            )

    def get(self, path):
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=5)

    def answers(self):
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.get("/healthz").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    @property
    def first(self):
        """Its process 1, as it is seen from outside."""
        return psutil.Process(self.process.pid).children()[0]


# What a container runtime does between chroot and the command.
CHDIR = "import os, sys; os.chdir(sys.argv[1]); os.execvp(sys.argv[2], sys.argv[2:])"


@pytest.fixture
def container(image, tmp_path, wait_until):
    running = Container(image, tmp_path / "log")
    try:
        wait_until(running.answers, timeout_seconds=30)
        yield running
    finally:
        if running.process.poll() is None:
            # Not unshare: the wish to end with it was lost when the user was changed.
            running.first.kill()
            running.process.wait()


def test_the_image_is_what_its_recipe_says(image):
    """User, command, port, health check and version; only root may change its code."""
    config, root = image
    assert config["User"] == "1000:1000"
    assert config["Cmd"][0] == "gunicorn"
    assert "8080/tcp" in config["ExposedPorts"]
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert "APP_VERSION=1.2.3" in config["Env"]
    files = [one for one in (root / "app").rglob("*") if one.is_file()]
    names = {"main.py", "visits.py", "gunicorn.conf.py", "hello.css"}
    assert {one.name for one in files} == names
    assert {(one.stat().st_uid, one.stat().st_mode & 0o777) for one in files} == {(0, 0o644)}


def test_the_image_serves_its_probes_as_another_than_root(container):
    """Both probes of the chart pass, over a read-only root, by processes that are not root's."""
    answers = {path: container.get(path).status_code for path in ("/healthz", "/health")}
    assert answers == {"/healthz": 200, "/health": 204}
    assert container.get("/api/info").json()["version"] == "1.2.3"
    processes = [container.first, *container.first.children(recursive=True)]
    assert {(*one.uids(), *one.gids()) for one in processes} == {(USER,) * 6}


def test_the_root_file_system_cannot_be_written(container):
    """Seen from inside: every place but /tmp and the shared memory is read-only."""
    mounts = pathlib.Path(f"/proc/{container.first.pid}/mountinfo").read_text().splitlines()
    inside = pathlib.Path(f"/proc/{container.first.pid}/root")
    options = {line.split()[4]: line.split()[5] for line in mounts}
    assert options["/"].startswith("ro")
    with pytest.raises(OSError, match="Read-only"):
        (inside / "app/written").touch()


def test_sigterm_ends_the_image_s_command(container):
    """Process 1 drains and exits 0; nothing of it is left."""
    everyone = [container.first, *container.first.children(recursive=True)]
    everyone[0].send_signal(signal.SIGTERM)
    assert container.process.wait(30) == 0, container.log.read_text()
    assert "Draining" in container.log.read_text()
    assert psutil.wait_procs(everyone, timeout=10)[1] == []
