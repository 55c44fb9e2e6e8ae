"""The prober against a real server: on time, with host name and authority checked."""

import http.server
import itertools
import ssl
import threading
import time

import pytest
import trustme

from azrunbook import errors, traffic

HOST = "app.z01.azurefd.net"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.hosts.add(self.headers["Host"])
        time.sleep(self.server.delay_seconds)
        self.send_response(self.server.status)
        self.send_header("X-App-Region", "eastus")
        self.send_header("X-App-Version", "1.0.0")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def endpoint(tmp_path):
    """A TLS server under the public host name, at an address that DNS does not know."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.status, server.delay_seconds, server.hosts = 200, 0.0, set()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(HOST).configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.ca = tmp_path / "ca.pem"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def prober_for(server, **options):
    return traffic.Prober(
        f"https://{HOST}/api/info",
        connect_to=f"127.0.0.1:{server.server_port}",
        ca_bundle=server.ca,
        **options,
    )


def test_answers_keep_region_and_version(endpoint):
    """Every sample says who served it, and the server saw the public host name."""
    with prober_for(endpoint, rate_per_second=50) as prober:
        prober.wait_for(lambda seen: len(seen) >= 10, what="ten answers", timeout_seconds=10)
    assert {(one.status, one.region, one.version) for one in prober.samples} == {
        (200, "eastus", "1.0.0")
    }
    assert endpoint.hosts == {HOST}


def test_slow_answers_do_not_delay_the_next_requests(endpoint):
    """An open loop: requests stay one interval apart while each takes ten intervals."""
    endpoint.delay_seconds = 0.5
    with prober_for(endpoint, rate_per_second=20) as prober:
        prober.wait_for(lambda seen: len(seen) >= 20, what="twenty answers", timeout_seconds=20)
    due = [one.at for one in prober.samples]
    gaps = [later - sooner for sooner, later in itertools.pairwise(due)]
    assert max(gaps) == pytest.approx(0.05, abs=0.001)
    assert min(one.latency_seconds for one in prober.samples) >= 0.5


def test_errors_are_samples_not_exceptions(endpoint):
    """A refused connection is what the drill is there to see."""
    endpoint.status = 503
    with prober_for(endpoint, rate_per_second=50) as prober:
        prober.wait_for(lambda seen: len(seen) >= 5, what="five answers", timeout_seconds=10)
    assert {one.status for one in prober.samples} == {503}


def test_a_server_that_does_not_answer_in_time_is_a_failure(endpoint):
    """The timeout is for the whole request."""
    endpoint.delay_seconds = 1.0
    with prober_for(endpoint, rate_per_second=20, timeout_seconds=0.1) as prober:
        prober.wait_for(lambda seen: len(seen) >= 3, what="three failures", timeout_seconds=10)
    assert all(one.status == 0 and one.error for one in prober.samples)


def test_wrong_authority_is_not_trusted(endpoint, tmp_path):
    """The certificate is checked although the address is given by hand."""
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    endpoint.ca = tmp_path / "other.pem"
    with prober_for(endpoint, rate_per_second=20) as prober:
        prober.wait_for(lambda seen: len(seen) >= 2, what="two failures", timeout_seconds=10)
    said = f"does not prove to be {HOST}: unable to get local issuer certificate"
    assert any(said in one.error for one in prober.samples)
    assert all(one.error for one in prober.samples)


def test_waiting_in_vain_says_what_was_answered(endpoint):
    """The error names the last answers."""
    endpoint.status = 404
    with (
        prober_for(endpoint, rate_per_second=50) as prober,
        pytest.raises(errors.StepError, match=r"two hundreds: not within 0\.3 s.*404"),
    ):
        prober.wait_for(
            lambda seen: any(one.is_ok for one in seen), what="two hundreds", timeout_seconds=0.3
        )
