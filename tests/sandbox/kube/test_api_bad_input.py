"""What no client of good will sends: always a Status, and the next request is served."""

import contextlib
import gzip
import json
import socket

import pytest

from azrunbook.sandbox.kube.http import context

CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
PATIENCE_SECONDS = 30
LIMIT_BYTES = 3 * 1024 * 1024


@pytest.fixture(scope="module")
def tls_context(kube_api):
    pair = kube_api.authority.issue_client("admin", ["system:masters"])
    return kube_api.authority.client_context(pair)


@pytest.fixture
def connect(kube_api, tls_context):
    """Open a connection; it is closed with the test."""
    with contextlib.ExitStack() as stack:

        def make():
            plain = socket.create_connection(
                (kube_api.server._address, kube_api.server._port), timeout=PATIENCE_SECONDS
            )
            return stack.enter_context(
                tls_context.wrap_socket(plain, server_hostname=kube_api.server._address)
            )

        yield make


def read_all(connection):
    """Everything until the server closes; a reset is an end as well."""
    found = bytearray()
    with contextlib.suppress(ConnectionError, BrokenPipeError):
        while part := connection.recv(65536):
            found += part
    return bytes(found)


@pytest.fixture
def ask(connect):
    """One request over a connection of its own; returns the status and the body."""

    def run(method, path, body=b"", *headers, accept="application/json"):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", "Host: k", "Connection: close", f"Accept: {accept}"]
        lines += [f"Content-Length: {len(body)}", *headers, "", ""]
        connection = connect()
        connection.sendall("\r\n".join(lines).encode() + body)
        head, _, text = read_all(connection).partition(b"\r\n\r\n")
        return int(head.split()[1]), text

    return run


def typed(kind):
    return f"Content-Type: {kind}"


@pytest.fixture
def collection(ns):
    return f"/api/v1/namespaces/{ns}/configmaps"


@pytest.mark.parametrize(
    ("body", "kind", "code", "said"),
    [
        (b"{not json", "application/json", 400, "must be of type ConfigMap"),
        (b"[1]", "application/json", 400, "cannot unmarshal array"),
        (b"a: [", "application/yaml", 400, "error decoding YAML"),
        (b"{a: " * 100_000, "application/yaml", 400, "exceeded max depth"),
        (b"[" * 100_000, "application/json", 400, "exceeded max depth"),
        (b"k8s\x00\xff\xff\xff", "application/vnd.kubernetes.protobuf", 400, "protobuf"),
        (b"{}", "text/plain", 415, "application/json"),
        (b"{}", "application/merge-patch+json", 415, "application/json"),
        (b'{"metadata":{"name":"a\\ud800"}}', "application/json", 422, "RFC 1123"),
        (b"x" * (LIMIT_BYTES + 1), "application/json", 413, "limit is 3145728"),
        (b'{"metadata":{"name":5}}', "application/json", 400, "metadata.name"),
        (b'{"metadata":{"name":"c"},"data":{"a":{}}}', "application/json", 400, "ConfigMap.data"),
    ],
)
def test_bad_body_is_told_what_is_wrong_with_it(ask, collection, body, kind, code, said):
    """Syntax, type, size and depth."""
    status, text = ask("POST", collection, body, typed(kind))
    found = json.loads(text)
    assert (status, found["kind"], found["code"]) == (code, "Status", code)
    assert said in found["message"]


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        ("text/plain", b"{}", 415),
        ("application/json", b"{}", 415),
        ("application/json-patch+json", b"{}", 400),
        ("application/json-patch+json", b'[{"op":"add"}]', 422),
        ("application/merge-patch+json", b"[]", 400),
        ("application/merge-patch+json", b"{", 400),
        ("application/strategic-merge-patch+json", b'{"$patch":"x"}', 500),
        ("application/strategic-merge-patch+json", b"[]", 400),
        ("application/apply-patch+yaml", b"a: [", 400),
        ("application/apply-patch+yaml", b"[]", 400),
        ("application/apply-patch+yaml", b"{a: " * 100_000, 400),
    ],
)
def test_bad_patch_is_refused(ask, collection, kind, body, code):
    """In each of the four types, and in none of them."""
    ask("POST", collection, CONFIG_MAP, typed("application/json"))
    status, text = ask("PATCH", f"{collection}/c?fieldManager=m", body, typed(kind))
    assert (status, json.loads(text)["kind"]) == (code, "Status")


@pytest.mark.parametrize(
    ("query", "code", "said"),
    [
        ("limit=abc", 400, 'strconv.ParseInt: parsing "abc": invalid syntax'),
        ("limit=99999999999999999999", 400, "value out of range"),
        ("watch=1&timeoutSeconds=abc", 400, "invalid syntax"),
        ("resourceVersion=abc", 400, "invalid resource version"),
        ("resourceVersion=-1", 400, "invalid resource version"),
        ("resourceVersion=%D9%A1", 400, "invalid resource version"),
        ("resourceVersion=99999999999999999999999", 400, "value out of range"),
        ("resourceVersion=99999999", 504, "Too large resource version"),
        ("watch=1&resourceVersion=abc", 500, "invalid resource version"),
        ("resourceVersionMatch=Exact", 422, "forbidden unless resourceVersion is provided"),
        ("resourceVersion=1&resourceVersionMatch=Foo", 422, 'Unsupported value: "Foo"'),
        ("resourceVersion=0&resourceVersionMatch=Exact", 422, 'forbidden for resourceVersion "0"'),
        ("resourceVersion=1&resourceVersionMatch=Exact&continue=x", 422, "when continue"),
        ("resourceVersion=5&continue=x", 400, "not allowed when using continue"),
        ("continue=!", 400, "continue key is not valid"),
        ("sendInitialEvents=true", 422, "sendInitialEvents is forbidden for list"),
        ("watch=1&sendInitialEvents=true", 422, "requires setting resourceVersionMatch"),
        ("watch=1&resourceVersionMatch=NotOlderThan", 422, "unless sendInitialEvents"),
        ("watch=1&sendInitialEvents=1&resourceVersionMatch=Exact", 422, '"NotOlderThan"'),
        ("labelSelector=a+b+c", 400, "unable to parse requirement"),
        ("fieldSelector=a", 400, "invalid selector"),
        ("fieldSelector=spec.x%3D1", 400, "is not a known field selector"),
    ],
)
def test_bad_option_of_a_read_is_refused(ask, collection, query, code, said):
    """In the words of the real server."""
    status, text = ask("GET", f"{collection}?{query}")
    assert (status, said in json.loads(text)["message"]) == (code, True)


@pytest.mark.parametrize(
    ("query", "body", "code", "said"),
    [
        ("gracePeriodSeconds=abc", b"", 400, "invalid syntax"),
        ("propagationPolicy=Foo", b"", 422, 'Unsupported value: "Foo"'),
        ("propagationPolicy=Orphan&orphanDependents=1", b"", 422, "cannot be both set"),
        ("dryRun=Some", b"", 422, 'Unsupported value: ["Some"]'),
        ("", b"[]", 400, "not an object"),
        ("", b'{"kind":"Pod"}', 400, "cannot be converted to DeleteOptions"),
        ("", b'{"preconditions":"x"}', 400, "DeleteOptions.preconditions"),
        ("", b'{"gracePeriodSeconds":"x"}', 400, "DeleteOptions.gracePeriodSeconds"),
        ("", b'{"preconditions":{"uid":"x"}}', 409, "UID in the precondition"),
    ],
)
def test_bad_option_of_a_deletion_is_refused(ask, collection, query, body, code, said):
    """And nothing is deleted."""
    ask("POST", collection, CONFIG_MAP, typed("application/json"))
    status, text = ask("DELETE", f"{collection}/c?{query}", body, typed("application/json"))
    assert (status, said in json.loads(text)["message"]) == (code, True)
    assert ask("GET", f"{collection}/c")[0] == 200


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (
            "fieldValidation=Loose",
            'Unsupported value: "Loose": supported values: "", "Ignore", "Strict", "Warn"',
        ),
        ("dryRun=All&dryRun=Some", 'Unsupported value: ["All","Some"]'),
        ("dryRun=Some", 'Unsupported value: ["Some"]'),
        ("fieldManager=" + "m" * 129, "Too long: may not be more than 128 bytes"),
        ("fieldManager=%01", "invalid character U+0001 (at position 0)"),
        ("force=true", "may not be specified for non-apply patch"),
    ],
)
def test_bad_option_of_a_write_is_refused(ask, collection, query, said):
    """Before the body is looked at."""
    kind = typed("application/merge-patch+json")
    status, text = ask("PATCH", f"{collection}/c?{query}", b"{", kind)
    assert (status, said in json.loads(text)["message"]) == (422, True)


def test_table_of_unknown_objects_is_refused(ask, collection):
    """`includeObject` has four values; only a Table looks at it."""
    table = "application/json;as=Table;v=v1;g=meta.k8s.io"
    status, text = ask("GET", f"{collection}?includeObject=All", accept=table)
    assert status == 400
    assert json.loads(text)["message"] == (
        'Unable to convert to Table as requested: includeObject: Invalid value: "All": '
        "must be 'Metadata', 'Object', 'None', or empty"
    )
    assert ask("GET", f"{collection}?includeObject=All")[0] == 200


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/api/v1/namespaces/n/configmaps/..", 400),
        ("/api/v1/namespaces/n/configmaps/%2e%2e", 400),
        ("/api/v1/namespaces/n/configmaps/a%2fb", 400),
        ("/api/v1/namespaces/../configmaps", 400),
        ("/api/v1/namespaces//configmaps", 404),
        ("/api/v1/namespaces/n/configmaps/%00", 404),
        ("/api/v1/namespaces/n/configmaps/%ff", 404),
        ("/api/v1/namespaces/n/configmaps/" + "x" * 5000, 404),
        ("/api/v1/namespaces/n/configmaps/x/y/z", 404),
        ("/api/v1//pods", 404),
        ("//api/v1/pods", 404),
        ("/api/v1/namespaces/n/nodes", 404),
        ("/apis/no.such.group/v1/things", 404),
        ("/../../etc/passwd", 404),
    ],
)
def test_hostile_path_names_nothing(ask, path, code):
    """No path is read as another one."""
    assert ask("GET", path)[0] == code


@pytest.mark.parametrize("method", ["PUT", "TRACE", "OPTIONS", "CONNECT"])
def test_method_that_a_collection_does_not_know_is_405(ask, collection, method):
    """With a Status."""
    status, text = ask(method, collection)
    assert (status, json.loads(text)["reason"]) == (405, "MethodNotAllowed")


@pytest.mark.parametrize(
    "request_text",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"FOO /version HTTP/1.1\r\nHost: k\r\n\r\n",
        b"GET /version HTTP/1.1\r\nHost: k\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"POST %s HTTP/1.1\r\nHost: k\r\nContent-Length: -5\r\n\r\n{}",
        b"POST %s HTTP/1.1\r\nHost: k\r\nContent-Length: five\r\n\r\n{}",
        b"POST %s HTTP/1.1\r\nHost: k\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"POST %s HTTP/1.1\r\nHost: k\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_no_http_is_400(connect, ask, collection, request_text):
    """The connection ends, the server does not."""
    connection = connect()
    connection.sendall(request_text.replace(b"%s", collection.encode()))
    assert b" 400 " in connection.recv(65536).partition(b"\r\n")[0]
    assert ask("GET", "/readyz") == (200, b"ok")


def test_chunks_beyond_the_limit_are_413(connect, collection):
    """Without a length nothing is known before it has come."""
    connection = connect()
    head = f"POST {collection} HTTP/1.1\r\nHost: k\r\nTransfer-Encoding: chunked\r\n\r\n"
    with contextlib.suppress(ConnectionError):
        connection.sendall(head.encode())
        for _ in range(4):
            connection.sendall(b"100000\r\n" + b"x" * 0x100000 + b"\r\n")
    assert b" 413 " in connection.recv(65536).partition(b"\r\n")[0]


@pytest.mark.parametrize(
    ("body", "code"), [(b"{}", 400), (gzip.compress(b" " * 50_000_000, 1), 413)]
)
def test_compressed_body_is_bounded_as_well(ask, collection, body, code):
    """Neither broken compression nor a bomb."""
    status, text = ask("POST", collection, body, "Content-Encoding: gzip")
    assert (status, json.loads(text)["code"]) == (code, code)


def test_half_sent_requests_hold_nobody_up(connect, ask, collection):
    """Bodies that never come, then a disconnect without a word."""
    for _ in range(20):
        connection = connect()
        connection.sendall(
            f"POST {collection} HTTP/1.1\r\nHost: k\r\nContent-Length: 100\r\n\r\n{{".encode()
        )
    assert ask("POST", collection, CONFIG_MAP, typed("application/json"))[0] == 201


def test_body_that_never_comes_is_given_up(connect, collection, monkeypatch):
    """After the time of a request, with a Status; the connection ends."""
    monkeypatch.setattr(context, "REQUEST_SECONDS", 0.2)
    connection = connect()
    connection.sendall(
        f"POST {collection} HTTP/1.1\r\nHost: k\r\nContent-Length: 100\r\n\r\n{{".encode()
    )
    head, _, text = connection.recv(65536).partition(b"\r\n\r\n")
    assert b" 504 " in head.partition(b"\r\n")[0]
    assert json.loads(text or connection.recv(65536))["reason"] == "Timeout"


def test_pipelined_requests_are_answered_in_order(connect, collection):
    """Fifty at once on one connection."""
    connection = connect()
    lines = [
        f"GET {collection}/c{number} HTTP/1.1\r\nHost: k\r\n"
        + ("Connection: close\r\n" if number == 49 else "")
        for number in range(50)
    ]
    connection.sendall("".join(line + "\r\n" for line in lines).encode())
    text = read_all(connection)
    places = [text.find(f'configmaps \\"c{number}\\" not found'.encode()) for number in range(50)]
    assert -1 not in places
    assert places == sorted(places)
