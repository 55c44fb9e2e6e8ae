"""Custom resources as kubectl and clients see them, from definition to deletion."""

import copy
import json

import pytest
import yaml

GROUP = "shop.example.com"
ROOT = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SPEC = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1, "description": "How large it is."},
        "colour": {"type": "string", "default": "blue", "enum": ["blue", "red"]},
        "replicas": {"type": "integer", "default": 1},
        "port": {"x-kubernetes-int-or-string": True},
        "open": {
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
            "properties": {"a": {"type": "string"}},
        },
        "items": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string"},
                    "v": {"type": "integer", "default": 3},
                },
            },
        },
        "embedded": {
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "x-kubernetes-preserve-unknown-fields": True,
        },
    },
}
STATUS = {
    "type": "object",
    "properties": {"replicas": {"type": "integer"}, "selector": {"type": "string"}},
}
COLUMNS = [
    {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
    {"name": "Colour", "type": "string", "jsonPath": ".spec.colour", "priority": 1},
]
SCALE = {
    "specReplicasPath": ".spec.replicas",
    "statusReplicasPath": ".status.replicas",
    "labelSelectorPath": ".status.selector",
}


def definition(plural, kind, **names):
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}, "scale": dict(SCALE)},
        "additionalPrinterColumns": copy.deepcopy(COLUMNS),
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "properties": {"spec": copy.deepcopy(SPEC), "status": copy.deepcopy(STATUS)},
            }
        },
    }
    old = {
        "name": "v1beta1",
        "served": True,
        "storage": False,
        "deprecated": True,
        "schema": {
            "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind, **names},
            "versions": [version, old],
        },
    }


@pytest.fixture(scope="module")
def widgets(http):
    """The definition of widgets, served."""
    names = {"shortNames": ["wd"], "categories": ["shop"]}
    assert http.post(ROOT, json=definition("widgets", "Widget", **names)).status_code == 201
    yield f"widgets.{GROUP}"
    http.delete(f"{ROOT}/widgets.{GROUP}")


@pytest.fixture
def path(ns, widgets):
    assert widgets.startswith("widgets.")
    return f"/apis/{GROUP}/v1/namespaces/{ns}/widgets"


def widget(name="w", **spec):
    head = {"apiVersion": f"{GROUP}/v1", "kind": "Widget", "metadata": {"name": name}}
    return {**head, "spec": spec}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({}, ["spec.size: Required value"]),
        ({"size": 0}, ["spec.size in body should be greater than or equal to 1"]),
        ({"size": 1.5}, ['spec.size in body must be of type integer: "number"']),
        ({"size": 1, "colour": "green"}, ['Unsupported value: "green"', '"blue", "red"']),
        ({"size": 1, "port": []}, ['must be of type integer,string: "array"']),
        ({"size": 1, "open": {"a": 5}}, ["spec.open.a in body must be of type string"]),
        ({"size": 1, "items": [{}]}, ["spec.items[0].name: Required value"]),
        ({"size": 1, "items": [{"name": "a"}, {"name": "a"}]}, ["Duplicate value"]),
        ({"size": 1, "embedded": {}}, ["spec.embedded.kind: Required value: must not be empty"]),
    ],
)
def test_object_that_does_not_fit_its_schema_is_refused(http, path, spec, said):
    """With a cause per field, in the words of the real server."""
    answer = http.post(path, json=widget(**spec))
    assert answer.status_code == 422
    assert all(text in answer.json()["message"] for text in said)


def test_defaults_pruning_and_what_is_kept(http, path):
    """Unknown fields go unless their object keeps them; either kind of port stays as it is."""
    spec = {"size": 1, "gone": 1, "open": {"kept": 1}, "items": [{"name": "a", "gone": 1}]}
    made = http.post(path, json=widget(**spec, port="http")).json()["spec"]
    assert made == {
        "size": 1,
        "colour": "blue",
        "replicas": 1,
        "port": "http",
        "open": {"kept": 1},
        "items": [{"name": "a", "v": 3}],
    }
    strict = http.post(f"{path}?fieldValidation=Strict", json=widget("x", **spec))
    assert strict.status_code == 400
    assert 'unknown field "spec.gone"' in strict.json()["message"]


def test_status_and_scale_are_ways_of_their_own(http, path):
    """Status by its subresource alone, generation by the spec alone, scale by the paths."""
    http.post(path, json=widget(size=1))
    merge = {"Content-Type": "application/merge-patch+json"}
    both = {"spec": {"size": 9}, "status": {"replicas": 2, "selector": "a=b"}}
    by_status = http.patch(f"{path}/w/status", content=json.dumps(both), headers=merge).json()
    assert (by_status["spec"]["size"], by_status["status"]["replicas"]) == (1, 2)
    replicas = {"spec": {"replicas": 5}}
    http.patch(f"{path}/w/scale", content=json.dumps(replicas), headers=merge)
    scale = http.get(f"{path}/w/scale").json()
    assert (scale["spec"], scale["status"]) == ({"replicas": 5}, {"replicas": 2, "selector": "a=b"})
    changed = {"spec": {"size": 2}, "status": {"replicas": 7}}
    by_object = http.patch(f"{path}/w", content=json.dumps(changed), headers=merge).json()
    assert by_object["status"]["replicas"] == 2
    assert by_object["metadata"]["generation"] == 3


def test_other_version_shows_the_same_object(http, path):
    """Conversion by name; a deprecated version says so."""
    http.post(path, json=widget(size=1))
    answer = http.get(path.replace("/v1/", "/v1beta1/") + "/w")
    assert answer.json()["apiVersion"] == f"{GROUP}/v1beta1"
    assert answer.json()["spec"]["size"] == 1
    assert f"{GROUP}/v1beta1 Widget is deprecated" in answer.headers["Warning"]
    assert "Warning" not in http.get(f"{path}/w").headers


def test_kubectl_knows_the_kind_by_all_its_names(kubectl, ns, path):
    """Columns, short name, category, explanation, scaling, labels, description."""
    kubectl("apply", "-n", ns, "-f", "-", text=yaml.dump(widget(size=2)))
    assert kubectl("get", "wd", "-n", ns).split() == ["NAME", "SIZE", "w", "2"]
    wide = kubectl("get", "shop", "-n", ns, "-o", "wide").split()
    assert wide == ["NAME", "SIZE", "COLOUR", "w", "2", "blue"]
    assert "How large it is." in kubectl("explain", "widget.spec.size")
    assert f"{GROUP}/v1" in kubectl("api-resources", f"--api-group={GROUP}")
    kubectl("scale", "wd/w", "-n", ns, "--replicas=4")
    kubectl("label", "wd/w", "-n", ns, "a=b")
    kubectl("wait", "wd/w", "-n", ns, "--for=jsonpath={.spec.replicas}=4", "--timeout=30s")
    assert "Replicas:" in kubectl("describe", "wd/w", "-n", ns)
    kubectl("apply", "--server-side", "-n", ns, "-f", "-", text=yaml.dump(widget("s", size=2)))
    assert path


def test_definition_is_waited_for_and_withdrawn_with_its_objects(kubectl, http, ns):
    """Established before the first object, 404 after the last."""
    kubectl("create", "-f", "-", text=yaml.dump(definition("lamps", "Lamp")))
    name = f"crd/lamps.{GROUP}"
    kubectl("wait", name, "--for=condition=Established", "--timeout=30s")
    lamp = {**widget(size=1), "kind": "Lamp"}
    lamp["metadata"]["finalizers"] = ["example.com/hold"]
    where = f"/apis/{GROUP}/v1/namespaces/{ns}/lamps"
    assert http.post(where, json=lamp).status_code == 201
    kubectl("delete", name, "--wait=false")
    assert http.get(f"{where}/w").json()["metadata"]["deletionTimestamp"]
    kubectl("patch", "lamp/w", "-n", ns, "--type=merge", '-p={"metadata":{"finalizers":null}}')
    kubectl("wait", name, "--for=delete", "--timeout=30s")
    assert http.get(where).status_code == 404


def conditions(http, name):
    status = http.get(f"{ROOT}/{name}").json()["status"]
    return {one["type"]: (one["status"], one["reason"]) for one in status["conditions"]}


def test_names_are_taken_until_they_are_free(http, ns):
    """A second kind of the same name waits for the first one to go."""
    http.post(ROOT, json=definition("boxes", "Box", shortNames=["bx"]))
    http.post(ROOT, json=definition("crates", "Box"))
    http.post(ROOT, json=definition("cases", "Case", shortNames=["bx"]))
    first, second, third = (f"{name}.{GROUP}" for name in ("boxes", "crates", "cases"))
    assert conditions(http, first)["Established"][0] == "True"
    assert conditions(http, second)["NamesAccepted"] == ("False", "ListKindConflict")
    assert conditions(http, second)["Established"] == ("False", "NotAccepted")
    assert conditions(http, third)["NamesAccepted"] == ("False", "ShortNamesConflict")
    assert http.get(f"/apis/{GROUP}/v1/namespaces/{ns}/crates").status_code == 404
    http.delete(f"{ROOT}/{first}")
    for name in (second, third):
        assert conditions(http, name)["NamesAccepted"] == ("True", "NoConflicts")
        assert conditions(http, name)["Established"] == ("True", "InitialNamesAccepted")
    assert http.get(f"/apis/{GROUP}/v1/namespaces/{ns}/crates").status_code == 200
    for name in (second, third):
        http.delete(f"{ROOT}/{name}")


def put(*keys, value):
    """A change of a definition: the value at a path of keys."""

    def change(found):
        for key in keys[:-1]:
            found = found[key]
        found[keys[-1]] = value

    return change


VERSION = ("spec", "versions", 0)
PROPERTIES = (*VERSION, "schema", "openAPIV3Schema", "properties")
SIZE = (*PROPERTIES, "spec", "properties", "size")
STRINGS = {"type": "array", "items": {"type": "string"}}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (put(*SIZE, "type", value="whole"), "properties[size].type"),
        (put(*SIZE, "type", value=""), "properties[size].type"),
        (put(*SIZE, "default", value="x"), "properties[size].default"),
        (put(*PROPERTIES, "x", value={"type": "array"}), "properties[x].items"),
        (put(*SIZE, "uniqueItems", value=True), "properties[size].uniqueItems"),
        (put(*SIZE, "$ref", value="#/x"), "properties[size].$ref"),
        (put(*SIZE, "x-kubernetes-int-or-string", value=True), "properties[size].type"),
        (put(*PROPERTIES, "spec", "additionalProperties", value=True), "additionalProperties"),
        (
            put(*PROPERTIES, "x", value={**STRINGS, "x-kubernetes-list-type": "map"}),
            "properties[x].x-kubernetes-list-map-keys",
        ),
        (
            put(*PROPERTIES, "metadata", value={"type": "object", "properties": {"labels": {}}}),
            "properties[metadata]",
        ),
        (put(*VERSION, "schema", value=None), "schema.openAPIV3Schema"),
        (put(*VERSION, "name", value="V1"), "spec.versions[0].name"),
        (put(*VERSION, "name", value="v1beta1"), "spec.versions"),
        (put(*VERSION, "storage", value=False), "spec.versions"),
        (put(*VERSION, "additionalPrinterColumns", 0, "type", value="x"), "Columns[0].type"),
        (put(*VERSION, "additionalPrinterColumns", 0, "jsonPath", value="x"), "[0].jsonPath"),
        (put(*VERSION, "subresources", "scale", "specReplicasPath", value="x"), "ReplicasPath"),
        (put("spec", "scope", value="Galaxy"), "spec.scope"),
        (put("spec", "names", "shortNames", value=["Bad!"]), "spec.names.shortNames[0]"),
        (put("spec", "conversion", value={"strategy": "Webhook"}), "webhookClientConfig"),
        (put("spec", "preserveUnknownFields", value=True), "spec.preserveUnknownFields"),
        (put("metadata", "name", value="x.y.z"), "metadata.name"),
    ],
)
def test_definition_that_is_not_structural_is_refused(http, change, field):
    """The cause names the place in the schema."""
    body = definition("bads", "Bad")
    change(body)
    answer = http.post(ROOT, json=body)
    assert answer.status_code == 422
    assert any(cause["field"].endswith(field) for cause in answer.json()["details"]["causes"])
