"""Objects of every kind that nobody would write: they are taken or refused, never more."""

import json
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from azrunbook.sandbox.kube import errors, patching, registry, shapes
from azrunbook.sandbox.kube.access import bootstrap
from azrunbook.sandbox.kube.resources import ResourceTable
from azrunbook.sandbox.kube.shapes import Form
from azrunbook.sandbox.kube.store import Store

WORDS = ["", "a", "x.io/y", "UPPER", "10", "50%", "-1", "1Gi", "10.0.0.1", "* * * * *", "\ufffd"]
NUMBERS = [0, 1, -1, 2, 70_000, 2**31, 2**63]
DEEPEST = 9


def junk(random, depth=0):
    """A value of any type at all."""
    kind = random.randrange(6 if depth < 3 else 4)
    if kind == 4:
        return [junk(random, depth + 1) for _ in range(random.randrange(3))]
    if kind == 5:
        return {name: junk(random, depth + 1) for name in random.sample(["name", "spec", "a"], 2)}
    return random.choice([[None], WORDS, NUMBERS, [True, False, 1.5]][kind])


def value_of(shape, random, wild, depth=0):
    """A value that fits the shape, but for the part `wild` of its nodes."""
    if random.random() < wild:
        return junk(random)
    element = shape.element or shapes.ANY
    if shape.form is Form.STRUCT and depth < DEEPEST:
        share = 0.8 if depth < 2 else 0.35
        fields = shape.fields.items()
        return {
            name: value_of(part, random, wild, depth + 1)
            for name, part in fields
            if random.random() < share
        }
    if shape.form is Form.LIST:
        return [value_of(element, random, wild, depth + 1) for _ in range(random.randrange(3))]
    if shape.form is Form.MAP:
        return {random.choice(WORDS): value_of(element, random, wild, depth + 1)}
    plain = {Form.INTEGER: NUMBERS, Form.BOOLEAN: [True, False]}
    return random.choice(plain.get(shape.form) or shape.schema.get("enum") or WORDS)


@pytest.fixture(scope="module")
def cluster():
    found = registry.Registry(ResourceTable(), Store())
    bootstrap.seed(found)
    return found


def attempt(call, *arguments, **options):
    """Whether it was done; anything but a StatusError fails the test."""
    try:
        call(*arguments, **options)
    except errors.StatusError:
        return False
    return True


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32), st.sampled_from([0, 0.02, 0.1]))
def test_any_object_is_taken_or_refused(cluster, seed, wild):
    """By creation, update and every type of patch; what is stored can be written."""
    random = Random(seed)  # noqa: S311 - a generator of test data, quicker than hypothesis' own
    kinds = [r for r in cluster.resources if r.is_stored and "create" in r.verbs]
    resource = random.choice(kinds)
    shape = shapes.for_kind(resource.api_version, resource.kind)
    obj = value_of(shape, random, wild)
    if not isinstance(obj, dict):
        obj = {}
    metadata = {"name": "n"} if random.random() < 0.9 else junk(random)
    head = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
    namespace = "default" if resource.namespaced else None
    attempt(cluster.create, resource, namespace, {**obj, **head})
    attempt(cluster.update, resource, namespace, "n", {**obj, **head})
    parts = {key: part for key, part in obj.items() if key not in head}
    for body, content_type in (
        (parts, patching.MERGE),
        (parts, patching.STRATEGIC),
        ([{"op": "add", "path": "/spec", "value": obj.get("spec")}], patching.JSON),
        ({**parts, **head}, patching.APPLY),
    ):
        attempt(cluster.patch, resource, namespace, "n", body, content_type=content_type)
    stored = cluster.store.list_all(resource.storage, namespace)
    json.dumps(stored, allow_nan=False)
    attempt(cluster.delete, resource, namespace, "n")
