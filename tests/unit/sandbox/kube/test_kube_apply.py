"""Server-side apply and ownership through the registry, without HTTP."""

import pytest
from hypothesis import given, strategies as st

from azrunbook.sandbox.kube import errors, fieldsets, managed_fields, patching, registry, shapes
from azrunbook.sandbox.kube.resources import ResourceTable
from azrunbook.sandbox.kube.store import Store


@pytest.fixture
def cluster():
    found = registry.Registry(ResourceTable(), Store())
    found.create(found.resources.get("", "namespaces"), None, {"metadata": {"name": "n"}})
    return found


def config(data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}


def apply(cluster, data, manager):
    return cluster.patch(
        cluster.resources.get("", "configmaps"),
        "n",
        "c",
        config(data),
        content_type=patching.APPLY,
        manager=manager,
    )


def owners(obj):
    return {entry["manager"]: entry["fieldsV1"] for entry in obj["metadata"]["managedFields"]}


def test_apply_owns_what_it_says(cluster):
    """Nothing else, not even the map around it."""
    assert owners(apply(cluster, {"a": "1"}, "m1")) == {"m1": {"f:data": {"f:a": {}}}}


def test_apply_takes_away_what_it_no_longer_says(cluster):
    """Unless somebody else says it too."""
    apply(cluster, {"a": "1", "b": "2"}, "m1")
    apply(cluster, {"b": "2"}, "m2")
    assert apply(cluster, {}, "m1")["data"] == {"b": "2"}


def test_the_last_annotation_goes_and_the_name_stays(cluster):
    """Of the metadata, only what the manager said goes: nobody owns the name."""
    configmaps = cluster.resources.get("", "configmaps")
    for annotations in ({"a": "1"}, {}):
        body = {**config({}), "metadata": {"name": "c", "annotations": annotations}}
        made = cluster.patch(configmaps, "n", "c", body, content_type=patching.APPLY, manager="m1")
    assert made["metadata"]["name"] == "c"
    assert "annotations" not in made["metadata"]


def test_apply_of_what_another_owns_is_a_conflict(cluster):
    """The message names the owner and the field."""
    apply(cluster, {"a": "1"}, "m1")
    with pytest.raises(errors.StatusError, match=r'1 conflict: conflict with "m1": \.data\.a'):
        apply(cluster, {"a": "2"}, "m2")


def test_the_same_value_is_owned_by_both(cluster):
    """Agreement is no conflict."""
    apply(cluster, {"a": "1"}, "m1")
    assert set(owners(apply(cluster, {"a": "1"}, "m2"))) == {"m1", "m2"}


def test_an_update_takes_over_what_it_changes(cluster):
    """An update never conflicts; the applier learns of it at its next apply."""
    apply(cluster, {"a": "1"}, "m1")
    resource = cluster.resources.get("", "configmaps")
    changed = cluster.patch(resource, "n", "c", {"data": {"a": "9"}}, manager="hand")
    assert owners(changed) == {"hand": {"f:data": {"f:a": {}}}}
    with pytest.raises(errors.StatusError, match='conflict with "hand" using v1'):
        apply(cluster, {"a": "1"}, "m1")


def test_applying_the_same_again_changes_nothing(cluster):
    """Neither the version nor the time of the ownership."""
    first = apply(cluster, {"a": "1"}, "m1")
    assert apply(cluster, {"a": "1"}, "m1") == first


def test_several_conflicts_are_listed_by_owner(cluster):
    """Two owners, two headings."""
    apply(cluster, {"a": "1"}, "m1")
    apply(cluster, {"b": "1"}, "m2")
    with pytest.raises(errors.StatusError) as raised:
        apply(cluster, {"a": "2", "b": "2"}, "m3")
    assert raised.value.message == (
        'Apply failed with 2 conflicts: conflicts with "m1":\n- .data.a\n'
        'conflicts with "m2":\n- .data.b'
    )


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (("f:spec", "f:replicas"), ".spec.replicas"),
        (("f:c", 'k:{"name":"x"}', "f:image"), '.c[name="x"].image'),
        (("f:p", 'k:{"containerPort":80,"protocol":"TCP"}'), '.p[containerPort=80,protocol="TCP"]'),
        (("f:finalizers", 'v:"a"'), '.finalizers[="a"]'),
    ],
)
def test_paths_are_shown_as_in_conflicts(path, shown):
    """The notation of structured merge diff."""
    assert managed_fields.show_path(path) == shown


SETS = st.recursive(
    st.just({}),
    lambda inner: st.dictionaries(st.sampled_from(["f:a", "f:b", "f:c"]), inner, min_size=1),
    max_leaves=6,
).filter(bool)


@given(SETS, SETS)
def test_union_holds_the_leaves_of_both(left, right):
    """And difference takes exactly the right's away."""
    both = set(fieldsets.leaves(left)) | set(fieldsets.leaves(right))
    assert set(fieldsets.leaves(fieldsets.union(left, right))) == both
    rest = fieldsets.difference(left, right) or {}
    expected = set(fieldsets.leaves(left)) - set(fieldsets.leaves(right))
    assert set(fieldsets.leaves(rest) if rest else ()) == expected


@given(SETS, SETS)
def test_intersection_holds_the_leaves_of_both_sides(left, right):
    """A field is in it only if it is in each."""
    found = fieldsets.intersection(left, right)
    both = set(fieldsets.leaves(left)) & set(fieldsets.leaves(right))
    assert (set(fieldsets.leaves(found)) if found is not None else set()) == both


def test_ports_without_protocol_have_the_key_of_tcp():
    """A key that has a default may be left out."""
    container = shapes.defined("io.k8s.api.core.v1.Container")
    found = fieldsets.from_value(container, {"ports": [{"containerPort": 80}]})
    assert list(found["f:ports"]) == ['k:{"containerPort":80,"protocol":"TCP"}']


def test_item_that_another_holds_on_to_keeps_its_key(cluster):
    """Who applied it goes, who changed its image stays: it still says which one it is."""
    deployments = cluster.resources.get("apps", "deployments")
    head = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}}

    def write(containers, content_type=patching.APPLY):
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": containers}}
        spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
        found = cluster.patch(
            deployments, "n", "d", {**head, "spec": spec}, content_type=content_type, manager="m"
        )
        return found["spec"]["template"]["spec"]["containers"]

    write([{"name": "a", "image": "i:1"}, {"name": "b", "image": "i:1"}])
    write([{"name": "b", "image": "i:2"}], patching.STRATEGIC)
    left = write([{"name": "a", "image": "i:1"}])
    assert [(part["name"], part["image"]) for part in left] == [("a", "i:1"), ("b", "i:2")]
