"""Discovery, OpenAPI, health and negotiation as the clients' caches need them."""

import pytest

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
PROTOBUF = "application/vnd.kubernetes.protobuf"


def get(http, path, accept="application/json", **headers):
    sent = {"Accept": accept, **{key.replace("_", "-"): value for key, value in headers.items()}}
    return http.get(path, headers=sent)


@pytest.mark.parametrize("path", ["/api", "/apis"])
def test_aggregated_discovery_is_answered_and_not_again(http, path):
    """In the second version, and 304 to those who have it."""
    first = get(http, path, f"{AGGREGATED},application/json")
    assert first.headers["Content-Type"] == AGGREGATED
    assert first.json()["kind"] == "APIGroupDiscoveryList"
    again = get(http, path, AGGREGATED, If_None_Match=f'"x", {first.headers["ETag"]}')
    assert (again.status_code, again.content) == (304, b"")


def test_both_forms_of_discovery_say_the_same(http):
    """Every resource, kind, verb and subresource."""
    aggregated = set()
    for path in ("/api", "/apis"):
        for group in get(http, path, AGGREGATED).json()["items"]:
            for version in group["versions"]:
                head = (group["metadata"].get("name", ""), version["version"])
                for row in version["resources"]:
                    kind = row["responseKind"]["kind"]
                    aggregated.add((*head, row["resource"], kind, frozenset(row["verbs"])))
                    for part in row.get("subresources", ()):
                        name = f"{row['resource']}/{part['subresource']}"
                        kind = part["responseKind"]["kind"]
                        aggregated.add((*head, name, kind, frozenset(part["verbs"])))
    legacy = set()
    groups = get(http, "/apis").json()["groups"]
    versions = [v["groupVersion"] for group in groups for v in group["versions"]]
    for name in ("v1", *versions):
        root = f"/apis/{name}" if "/" in name else f"/api/{name}"
        head = tuple(name.split("/")) if "/" in name else ("", name)
        for row in get(http, root).json()["resources"]:
            legacy.add((*head, row["name"], row["kind"], frozenset(row["verbs"])))
    assert aggregated == legacy


def test_openapi_document_is_kept_by_its_hash(http):
    """For ever under the right hash; a wrong one is sent there."""
    index = get(http, "/openapi/v3").json()["paths"]
    path = index["apis/apps/v1"]["serverRelativeURL"]
    document = get(http, path)
    assert document.headers["Cache-Control"] == "public, immutable"
    assert "/apis/apps/v1/namespaces/{namespace}/deployments" in document.json()["paths"]
    wrong = get(http, "/openapi/v3/apis/apps/v1?hash=OLD")
    assert (wrong.status_code, wrong.headers["Location"]) == (301, path)
    again = get(http, path, If_None_Match=document.headers["ETag"])
    assert (again.status_code, again.content) == (304, b"")


def test_openapi_index_is_not_sent_twice(http):
    """It is asked for by every command."""
    etag = get(http, "/openapi/v3").headers["ETag"]
    assert get(http, "/openapi/v3", If_None_Match=etag).status_code == 304


def test_openapi_of_version_two_is_for_those_who_read_json(http):
    """References end within the document; who reads protobuf only goes on without it."""
    found = get(http, "/openapi/v2", "application/com.github.x+protobuf, application/json").json()
    spec = found["definitions"]["io.k8s.api.core.v1.Pod"]["properties"]["spec"]
    reference = spec.get("$ref") or spec["allOf"][0]["$ref"]
    assert reference.removeprefix("#/definitions/") in found["definitions"]
    patch = found["paths"]["/api/v1/namespaces/{namespace}/pods/{name}"]["patch"]
    assert "fieldValidation" in [parameter["name"] for parameter in patch["parameters"]]
    assert get(http, "/openapi/v2", "application/com.github.x+protobuf").status_code == 404


@pytest.mark.parametrize(
    ("accept", "code"),
    [
        (PROTOBUF, 406),
        ("text/html", 406),
        ("application/json;as=Table;v=v9;g=meta.k8s.io", 406),
        ("application/json;as=Foo;v=v1;g=meta.k8s.io", 406),
        (f"{PROTOBUF},application/json", 200),
        (f"{PROTOBUF},*/*", 200),
        ("application/cbor, application/json;q=0.5", 200),
        ("", 200),
    ],
)
def test_protobuf_is_replaced_by_json_where_that_is_allowed(http, accept, code):
    """And refused where it is not."""
    answer = get(http, "/api/v1/namespaces", accept)
    assert (answer.status_code, answer.headers["Content-Type"]) == (code, "application/json")


@pytest.mark.parametrize(
    ("path", "accept", "kind"),
    [
        ("/api/v1/namespaces", TABLE, "Table"),
        ("/api/v1/namespaces/default", TABLE, "Table"),
        ("/api/v1/namespaces", TABLE.replace("v=v1", "v=v1beta1"), "Table"),
        (
            "/api/v1/namespaces",
            "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
            "PartialObjectMetadataList",
        ),
        (
            "/api/v1/namespaces/default",
            "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
            "PartialObjectMetadata",
        ),
        ("/api/v1/namespaces", f"{TABLE.replace('v1', 'v9')},application/json", "NamespaceList"),
    ],
)
def test_form_of_an_answer_is_negotiated(http, path, accept, kind):
    """The first one that can be given."""
    assert get(http, path, accept).json()["kind"] == kind


@pytest.mark.parametrize("name", ["healthz", "livez", "readyz"])
def test_health_is_told_check_by_check(http, name):
    """Verbose, one alone, without one, and one that there is not."""
    assert get(http, f"/{name}").text == "ok"
    said = get(http, f"/{name}?verbose&exclude=etcd&exclude=moon").text.splitlines()
    assert "[+]ping ok" in said
    assert "[+]etcd excluded: ok" in said
    assert 'warn: some health checks cannot be excluded: no matches for "moon"' in said
    assert said[-1] == f"{name} check passed"
    assert get(http, f"/{name}/etcd").text == "ok"
    assert get(http, f"/{name}/moon").status_code == 404


@pytest.mark.parametrize("path", ["/metrics", "/logs/x", "/openid/v1/jwks"])
def test_path_that_is_not_emulated_names_the_file(http, path):
    """Where it would be added."""
    answer = get(http, path)
    assert answer.status_code == 501
    assert "azrunbook/sandbox/kube/http/plain.py" in answer.json()["message"]


@pytest.mark.parametrize(
    "path",
    ["/api/v1/namespaces/n/services/s/proxy", "/api/v1/nodes/n/proxy", "/api/v1/nodes/n/proxy/x/y"],
)
def test_subresource_that_is_not_emulated_names_the_file(http, path):
    """Where it would be added."""
    answer = get(http, path)
    assert answer.status_code == 501
    assert "azrunbook/sandbox/kube/http/special.py" in answer.json()["message"]
