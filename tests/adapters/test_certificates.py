"""Another authority, another name, an old certificate: each client says which and where."""

import contextlib
import datetime as dt
import http.server
import ssl
import threading

import pytest
import trustme
import yaml
from azure.core.credentials import AccessToken

from azrunbook import arm, certificates, errors, kube_api, traffic, visits

HOST = "localhost"
OLD = dt.datetime(2020, 1, 2, tzinfo=dt.UTC)
# What is wrong, what is said of it, and what is said to be presented.
WRONG = {
    "authority": ("unable to get local issuer certificate", "localhost, issued by .*O=somebody"),
    "name": ("Hostname mismatch", "elsewhere.example, issued by"),
    "expired": ("certificate has expired", "valid from 2020-01-01 to 2020-01-02"),
}


class Token:
    """A credential that needs nobody."""

    def get_token(self, *_scopes, **_options):
        return AccessToken("token-of-nobody", 1 << 40)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    found = trustme.CA(organization_name="ours")
    found.bundle = tmp_path_factory.mktemp("ca") / "ca.pem"
    found.cert_pem.write_to_path(found.bundle)
    return found


@pytest.fixture(scope="module", params=list(WRONG))
def server(request, authority):
    """A TLS server with one thing wrong; it never answers a request."""
    pair = {
        "authority": lambda: trustme.CA(organization_name="somebody").issue_cert(HOST),
        "name": lambda: authority.issue_cert("elsewhere.example"),
        "expired": lambda: authority.issue_cert(
            HOST, not_before=OLD - dt.timedelta(days=1), not_after=OLD
        ),
    }[request.param]()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    pair.configure_cert(context)
    found = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    found.daemon_threads = True
    found.handle_error = lambda *_: None
    found.socket = context.wrap_socket(
        found.socket, server_side=True, do_handshake_on_connect=False
    )
    found.url = f"https://{HOST}:{found.server_port}"
    reason, presented = WRONG[request.param]
    found.said = (
        rf"localhost:{found.server_port} does not prove to be localhost: {reason}.* It presented "
        rf"a certificate for .*{presented}.*; expected one for localhost that is valid now"
    )
    thread = threading.Thread(target=found.serve_forever)
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


def test_azure_resource_manager(server, authority):
    """Nothing was sent, and neither signing in again nor waiting is advised."""
    client = arm.ArmClient(
        Token(), server.url, ca_bundle=authority.bundle, polling_interval_seconds=1
    )
    with (
        contextlib.closing(client),
        pytest.raises(errors.ConnectError, match=f"{server.said}.*Check its resource_manager"),
    ):
        client.get("/subscriptions/s", "2022-12-01")


def test_the_api_of_a_cluster(server, authority, tmp_path):
    """It is not taken for a cluster that is stopped."""
    cluster = {"server": server.url, "certificate-authority": str(authority.bundle)}
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "c", "user": {"token": "token-of-nobody"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
    }))  # fmt: skip
    api = kube_api.KubeApi(path, "c")
    said = f"nodes in c: {server.said}.*of the kubeconfig"
    with contextlib.closing(api), pytest.raises(errors.ConnectError, match=said):
        api.get("nodes", "/api/v1/nodes")


def test_front_doors_prober(server, authority):
    """Every sample says so, as one kind of error, and so does waiting in vain."""
    prober = traffic.Prober(
        f"{server.url}/api/info", ca_bundle=authority.bundle, rate_per_second=50
    )
    with prober, pytest.raises(errors.StepError, match=server.said):
        prober.wait_for(
            lambda seen: any("does not prove" not in one.error for one in seen[10:]),
            what="anything else", timeout_seconds=0.5,
        )  # fmt: skip
    assert {one.status for one in prober.samples} == {0}


def test_probe_rows(server, authority):
    """A row that cannot be recorded for this reason is not one that was merely not confirmed."""
    with (
        visits.Visits(server.url, ca_bundle=authority.bundle) as asked,
        pytest.raises(errors.ConnectError, match=f"visits: {server.said}"),
    ):
        asked.record()


def test_other_failures_are_not_about_certificates():
    """And what is not there any more when it is looked at again is said to be so."""
    assert certificates.explain(ConnectionRefusedError("refused")) == ""
    refused = ssl.SSLCertVerificationError(1, "certificate verify failed")
    refused.verify_message = "certificate has expired"
    said = certificates.explain(refused, url="https://127.0.0.1:1")
    assert "could not be looked at again (ConnectionRefusedError)" in said
