"""What is said about patches that cannot be done, or whose outcome is no object of the kind."""

import pytest

from azrunbook.sandbox.kube import bodies, errors, patching, quantities
from azrunbook.sandbox.kube.subresources import scale
from azrunbook.sandbox.kube.writes import Write

DEPLOYMENT = {
    "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c", "image": "i:1"}]},
        },
    }
}
APPLIED = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}}


def containers(*found):
    return {"spec": {"template": {"spec": {"containers": list(found)}}}}


@pytest.fixture
def refuse(refusals):
    """Patches a deployment; returns the status that says why not."""
    refusals.create("deployments.apps", DEPLOYMENT)
    machinery = refusals.registry
    resource = machinery.resources.get("apps", "deployments")

    def run(kind, body):
        write = Write(manager="m", field_validation="Strict")
        with pytest.raises(errors.StatusError) as raised:
            patching.patch(machinery, resource, "n", "x", body, content_type=kind, write=write)
        return raised.value

    return run


@pytest.mark.parametrize(
    ("kind", "body", "code", "said"),
    [
        (
            patching.STRATEGIC,
            containers({"image": "z"}),
            500,
            "map: map[image:z] does not contain declared merge key: name",
        ),
        (
            patching.STRATEGIC,
            containers({"name": "z", "$patch": "odd"}),
            500,
            "unknown patch type: odd in map: map[$patch:odd name:z]",
        ),
        (
            patching.STRATEGIC,
            {"spec": {"strategy": {"$retainKeys": [], "type": "Recreate"}}},
            422,
            "the server rejected our request due to an error in our request",
        ),
        (
            patching.STRATEGIC,
            {"spec": {"replicas": "x"}},
            422,
            (
                ' "" is invalid: patch: Invalid value: "map[spec:map[replicas:x]]": '
                "unrecognized type: int32"
            ),
        ),
        (
            patching.STRATEGIC,
            {"spec": {"odd": [1, None]}},
            422,
            (
                ' "" is invalid: patch: Invalid value: "map[spec:map[odd:[1 <nil>]]]": '
                'strict decoding error: unknown field "spec.odd"'
            ),
        ),
        (
            patching.MERGE,
            [],
            400,
            (
                "error decoding patch: json: cannot unmarshal array into Go value of type "
                "map[string]interface {}"
            ),
        ),
        (
            patching.JSON,
            {},
            400,
            (
                "error decoding patch: json: cannot unmarshal object into Go value of type "
                "[]interface {}"
            ),
        ),
        (
            patching.APPLY,
            {**APPLIED, "apiVersion": "v1"},
            400,
            (
                "Incorrect version specified in apply patch. Specified patch version: v1, "
                "expected: apps/v1"
            ),
        ),
        (
            patching.APPLY,
            {**APPLIED, **containers({"image": "z"})},
            500,
            (
                "failed to create typed patch object (/x; apps/v1, Kind=Deployment): "
                ".spec.template.spec.containers: element 0: associative list with keys has an "
                'element that omits all key fields ["name"] (and doesn\'t have default values for '
                "any key fields)"
            ),
        ),
    ],
)
def test_patch_that_cannot_be_done_is_refused(refuse, kind, body, code, said):
    """With the status and the words of the real server, for each way of patching."""
    error = refuse(kind, body)
    assert (error.code, error.message) == (code, said)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (patching.MERGE, {"spec": {"replicas": "x"}}),
        (patching.JSON, [{"op": "add", "path": "/spec/replicas", "value": "x"}]),
    ],
)
def test_outcome_of_the_wrong_type_is_said_of_the_patch(refuse, kind, body):
    """422 with the field `patch`, the outcome as text, and the decoder's words."""
    error = refuse(kind, body)
    (cause,) = error.details["causes"]
    assert (error.code, cause["field"]) == (422, "patch")
    assert cause["message"].endswith(
        "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type "
        "int32"
    )


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("512Ki", "512Ki"),
        ("0.1Gi", "107374182400m"),  # no number of 1024s says it
        ("0.5", "500m"),
        ("1000m", "1"),
        ("100000", "100k"),
        ("1e3", "1e3"),
        ("0.0000000001", "1n"),  # rounded up
        ("0", "0"),
        ("-1500m", "-1500m"),
    ],
)
def test_quantity_is_written_in_its_shortest_form(given, shown):
    """With the kind of suffix that it came with, if that can say it."""
    assert quantities.canonical(given) == shown


@pytest.fixture
def scale_of(refusals):
    """Writes the Scale of a new deployment `x`; returns what is said against it."""
    refusals.create("deployments.apps", DEPLOYMENT)
    machinery = refusals.registry
    resource = machinery.resources.get("apps", "deployments")

    def write(action, body, **how):
        with pytest.raises(errors.StatusError) as raised:
            action(machinery, resource, "n", "x", body, write=Write(manager="m"), **how)
        return raised.value.code, raised.value.message

    return write


@pytest.mark.parametrize(
    ("kind", "code", "said"),
    [
        (patching.MERGE, 422, "of type int32"),
        (patching.STRATEGIC, 422, "unrecognized type: int32"),
    ],
)
def test_patch_of_a_scale_that_is_none_is_blamed_on_the_patch(scale_of, kind, code, said):
    """As with every other object: 422, where a whole Scale of the wrong type is 400."""
    body = {"spec": {"replicas": "two"}}
    assert scale_of(scale.patch, body, content_type=kind)[0] == code
    assert said in scale_of(scale.patch, body, content_type=kind)[1]
    assert scale_of(scale.update, {"metadata": {"name": "x"}, **body}) == (
        400,
        (
            'Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal string '
            "into Go struct field ScaleSpec.spec.replicas of type int32"
        ),
    )


def test_scale_of_another_object_is_refused(scale_of):
    """A Scale with a UID is meant for the object that had it, an applied one says its kind."""
    wrong = {"metadata": {"name": "x", "uid": "old"}, "spec": {"replicas": 2}}
    code, said = scale_of(scale.update, wrong)
    assert (code, "Precondition failed: UID in precondition: old" in said) == (409, True)
    assert scale_of(scale.patch, APPLIED, content_type=patching.APPLY) == (
        400,
        (
            "Incorrect version specified in apply patch. "
            "Specified patch version: apps/v1, expected: autoscaling/v1"
        ),
    )


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        (
            patching.MERGE,
            b'{"spec":{"odd":1,"paused":true,"paused":true}}',
            'duplicate field "spec.paused", unknown field "spec.odd"',
        ),
        (
            patching.STRATEGIC,
            b'{"spec":{"odd":1,"paused":true,"paused":true}}',
            'duplicate field "spec.paused", unknown field "spec.odd"',
        ),
        (
            patching.JSON,
            b'[{"op":"add","op":"add","path":"/spec/paused","value":true}]',
            'json patch duplicate field "[0].op"',
        ),
    ],
)
def test_key_that_a_patch_has_twice_is_named_before_what_is_unknown(refuse, kind, text, said):
    """The patch is looked at first, then what comes of it."""
    assert refuse(kind, bodies.parse_json(text)).message.endswith(f"strict decoding error: {said}")
