"""How gunicorn serves and stops the application: the real server, signalled as a kubelet does."""

import http.client
import pathlib
import signal
import subprocess
import sys
import threading
import time
import urllib.parse

import httpx
import pytest

SOURCE = pathlib.Path(__file__).parents[2] / "app" / "src"


class Load:
    """Clients that ask without pause, as a proxy with kept connections does."""

    def __init__(self, url, *, clients):
        self.url = url
        self.answered = 0
        self.failures = []
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def _ask(self):
        with httpx.Client(timeout=10) as client:
            while not self._is_over.is_set():
                try:
                    client.get(self.url).raise_for_status()
                    self.answered += 1
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception):
        self._is_over.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def in_flight():
    """Send a request on a socket of its own and read its answer later."""
    connections = []

    def send(server):
        netloc = urllib.parse.urlsplit(server.url).netloc
        connection = http.client.HTTPConnection(netloc, timeout=10)
        connections.append(connection)
        connection.request("GET", "/")
        return connection

    yield send
    for connection in connections:
        connection.close()


def test_no_request_is_lost_while_a_pod_stops(serve, wait_until):
    """Readiness fails first; who leaves within the drain never sees an error; the exit is 0."""
    server = serve(DRAIN_SECONDS="3")
    with Load(server.url, clients=3) as load:
        wait_until(lambda: load.answered > 30)
        server.signal()
        wait_until(server.is_draining)
        answered = load.answered
        wait_until(lambda: load.answered > answered + 30)
    assert load.failures == []
    assert server.wait() == 0


def test_drain_lasts_as_long_as_asked(serve):
    """The server goes DRAIN_SECONDS after SIGTERM, neither sooner nor much later."""
    server = serve(DRAIN_SECONDS="1")
    signalled_at = time.monotonic()
    server.signal()
    assert server.wait() == 0
    assert 1 <= time.monotonic() - signalled_at < 3
    with pytest.raises(httpx.ConnectError):
        server.get("/")


def test_every_worker_drains(serve, wait_until):
    """The flag reaches all workers, not the one that was asked first."""
    server = serve(DRAIN_SECONDS="30", WEB_CONCURRENCY="2")
    wait_until(lambda: server.log.count("Booting worker") == 2)
    server.signal()
    wait_until(server.is_draining)
    assert [server.get("/health").status_code for _ in range(20)] == [503] * 20


def test_kept_connections_are_closed_while_draining(serve, wait_until, in_flight):
    """A proxy is told with the next answer not to use its connection again."""
    server = serve(DRAIN_SECONDS="30")
    connection = in_flight(server)
    answer = connection.getresponse()
    answer.read()
    assert answer.headers["Connection"] == "keep-alive"
    server.signal()
    wait_until(server.is_draining)
    connection.request("GET", "/")
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Connection"]) == (200, "close")


def test_request_in_flight_outlives_the_drain(serve, in_flight):
    """A request that takes longer than the drain is still answered."""
    server = serve(DRAIN_SECONDS="0.2", FAULT_DELAY_SECONDS="1")
    connection = in_flight(server)
    server.signal()
    assert connection.getresponse().status == 200
    assert server.wait() == 0


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGQUIT, signal.SIGINT])
@pytest.mark.parametrize("drain_seconds", ["60", "0"])
def test_second_signal_stops_at_once(serve, wait_until, in_flight, drain_seconds, second):
    """Draining or finishing requests, whoever asks again does not wait."""
    server = serve(DRAIN_SECONDS=drain_seconds, GRACEFUL_SECONDS="60", FAULT_DELAY_SECONDS="60")
    in_flight(server)
    server.signal()
    wait_until(lambda: "Draining" in server.log)
    server.signal(second)
    assert server.wait(timeout_seconds=5) == 0


def test_reload_keeps_the_drain(serve, wait_until):
    """After a SIGHUP the new workers and the master still agree on the flag."""
    server = serve(DRAIN_SECONDS="30")
    server.signal(signal.SIGHUP)
    wait_until(lambda: server.log.count("Booting worker") == 2)
    wait_until(lambda: "Worker exiting" in server.log)
    server.signal()
    wait_until(server.is_draining)


def test_server_writes_nothing_into_its_home(serve, tmp_path):
    """It runs where the disk is read-only: no control socket, no files."""
    server = serve()
    server.signal(signal.SIGQUIT)
    server.wait()
    assert list((tmp_path / "home-0").iterdir()) == []


def test_responses_are_signed_by_the_environment(serve):
    """What the chart puts into the environment comes back in the headers."""
    server = serve(REGION="westus2", APP_VERSION="1.0.1", POD_NAME="hello-world-x")
    headers = server.get("/nowhere").headers
    assert headers["X-App-Region"] == "westus2"
    assert headers["X-App-Version"] == "1.0.1"
    assert headers["X-App-Pod"] == "hello-world-x"


def test_client_cannot_rewrite_the_path(serve):
    """Headers that a trusted front end could use to move the application are not obeyed."""
    answer = serve().get("/api/info", headers={"SCRIPT_NAME": "/api", "PATH_INFO": "/healthz"})
    assert answer.json()["status"] == "healthy"


@pytest.mark.parametrize(("asked", "is_logged"), [("", False), ("true", True)])
def test_access_log_is_off_unless_asked_for(serve, asked, is_logged):
    """Requests are logged only with ACCESS_LOG=true."""
    server = serve(ACCESS_LOG=asked)
    server.get("/api/info")
    server.signal(signal.SIGQUIT)
    server.wait()
    assert ("GET /api/info" in server.log) == is_logged


def test_wrong_setting_ends_the_server_with_its_message():
    """A server that cannot be configured says why and goes, instead of trying for ever."""
    done = subprocess.run(
        [sys.executable, "-B", "-m", "gunicorn", "main:app"],
        cwd=SOURCE,
        env={"HOST": "127.0.0.1", "PORT": "0", "FAULT_UNREADY": "perhaps"},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode != 0
    assert "FAULT_UNREADY is 'perhaps'; expected true or false" in done.stderr
