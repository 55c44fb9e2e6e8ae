"""Versions, machine sizes and document merging as truth tables."""

import pytest

from azrunbook.sandbox.arm import collection, errors, paths as arm_paths, store, vm_sizes
from azrunbook.sandbox.arm.providers import kubernetes_versions


@pytest.mark.parametrize(
    ("name", "family", "cores", "memory_gib"),
    [
        ("Standard_D2s_v3", "standardDSv3Family", 2, 8),
        ("Standard_E4s_v3", "standardESv3Family", 4, 32),
        ("Standard_F8s_v2", "standardFSv2Family", 8, 16),
        ("standard_d4as_v5", "standardDASv5Family", 4, 16),
        ("Standard_DS2_v2", "standardDSv2Family", 2, 7),
        ("Standard_B4ms", "standardBMSFamily", 4, 16),
    ],
)
def test_a_size_tells_its_family_cores_and_memory(name, family, cores, memory_gib):
    """The name says all of it."""
    size = vm_sizes.find(name)
    assert (size.family, size.cores, size.memory_gib) == (family, cores, memory_gib)


@pytest.mark.parametrize(
    "name", ["", "Standard_D3s_v3", "Standard_D2s", "Standard_Z2s_v3", "D2s_v3"]
)
def test_a_size_that_is_none_is_not_found(name):
    """Unknown letters, odd cores, a missing version."""
    assert vm_sizes.find(name) is None


@pytest.mark.parametrize(
    ("before", "wanted", "is_allowed"),
    [
        ("1.35.6", "1.36", True),
        ("1.35.6", "1.36.2", True),
        ("1.35.6", "1.35", True),
        ("1.34.9", "1.36", False),
        ("1.36.2", "1.35", False),
    ],
)
def test_a_control_plane_goes_up_one_minor(before, wanted, is_allowed):
    """Neither down nor over a minor."""
    if is_allowed:
        kubernetes_versions.check_upgrade(before, wanted)
    else:
        with pytest.raises(errors.AksError, match="not allowed"):
            kubernetes_versions.check_upgrade(before, wanted)


@pytest.mark.parametrize(
    ("pool", "is_allowed"), [("1.36.2", True), ("1.33.13", True), ("1.32.11", False)]
)
def test_a_pool_may_lag_three_minors(pool, is_allowed):
    """Not more, and never ahead."""
    if is_allowed:
        kubernetes_versions.check_skew(pool, "1.36.2")
    else:
        with pytest.raises(errors.AksError, match="incompatible"):
            kubernetes_versions.check_skew(pool, "1.36.2")
    with pytest.raises(errors.AksError, match="incompatible"):
        kubernetes_versions.check_skew("1.36.2", "1.35.6")


@pytest.mark.parametrize(
    ("base", "over", "expected"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"b": 3, "c": 2}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"b": 1}}, {"a": None}, {"a": None}),
    ],
)
def test_documents_merge_object_by_object(base, over, expected):
    """Lists and nulls replace."""
    assert collection.merge(base, over) == expected


def test_a_stored_document_cannot_be_edited_from_outside():
    """What goes in and comes out is a copy; the first case of the id stays."""
    documents = store.Store()
    one = arm_paths.parse("/subscriptions/s/resourceGroups/One")
    body = {"properties": {"a": 1}}
    documents.put(one, one.type, body)
    body["properties"]["a"] = 2
    documents.find(one)["properties"]["a"] = 3
    assert documents.find(one)["properties"]["a"] == 1
    again = arm_paths.parse("/subscriptions/s/resourceGroups/ONE")
    assert documents.put(again, one.type, body)["id"].endswith("/One")
