"""A database or a cache that does not prove who it is: told in one line, and no visit is lost."""

import contextlib
import datetime as dt
import logging
import socket
import ssl
import threading

import pytest
import trustme

SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"  # how PostgreSQL's clients ask for TLS
OLD = dt.datetime(2020, 1, 2, tzinfo=dt.UTC)
# What is wrong, what libpq says of it, and what Python's ssl says.
WRONG = {
    "authority": ("certificate verify failed", "unable to get local issuer certificate"),
    "name": ('certificate for "elsewhere.example" does not match host name "localhost"',
             "certificate is not valid for 'localhost'"),
    "expired": ("certificate verify failed", "certificate has expired"),
}  # fmt: skip


@pytest.fixture(params=list(WRONG))
def site(request, tmp_path):
    """A TLS port with one thing wrong that answers both protocols as far as a certificate goes."""
    ours = trustme.CA()
    ours.cert_pem.write_to_path(tmp_path / "ca.pem")
    pair = {
        "authority": lambda: trustme.CA().issue_cert("localhost"),
        "name": lambda: ours.issue_cert("elsewhere.example"),
        "expired": lambda: ours.issue_cert(
            "localhost", not_before=OLD - dt.timedelta(days=1), not_after=OLD
        ),
    }[request.param]()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    pair.configure_cert(context)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with contextlib.suppress(OSError):  # the listener is shut down at the end
            while True:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(OSError):
                    if connection.recv(8, socket.MSG_PEEK) == SSL_REQUEST:
                        connection.recv(8)
                        connection.sendall(b"S")
                    context.wrap_socket(connection, server_side=True).close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield request.param, listener.getsockname()[1], tmp_path / "ca.pem"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def test_a_wrong_certificate_is_told_with_host_and_what_was_expected(
    site, visits, monkeypatch, caplog
):
    """The reason is in what the application logs with its 503; there is no traceback."""
    kind, port, bundle = site
    of_database, of_cache = WRONG[kind]
    monkeypatch.setattr(visits, "_WAIT_SECONDS", 1)
    store = visits.Visits(
        f"postgresql://u:planted-secret@localhost:{port}/d?sslmode=verify-full&sslrootcert={bundle}",
        f"rediss://:planted-secret@localhost:{port}/0?ssl_ca_certs={bundle}",
        region="here", pod="one",
    )  # fmt: skip
    with caplog.at_level(logging.WARNING), pytest.raises(visits.UnavailableError) as caught:
        store.record()
    said = str(caught.value)
    assert f"port {port} failed" in said
    assert of_database in said
    assert "expected a certificate for localhost that is valid now" in said
    assert f"sslrootcert={bundle}" in said
    caplog.clear()
    assert store._count("GET") is None
    assert f"connecting to localhost:{port}" in caplog.text
    assert of_cache in caplog.text
    store._pool.close()
    assert "Traceback" not in caplog.text
    assert "planted-secret" not in f"{said}{caplog.text}"
