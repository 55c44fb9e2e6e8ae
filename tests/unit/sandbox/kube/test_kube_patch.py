"""JSON patch, JSON merge patch and strategic merge patch as truth tables and properties."""

import copy

import hypothesis
import pytest
from hypothesis import strategies as st

from azrunbook.sandbox.kube import errors, patch, shapes, strategic

SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.text("abc/~", max_size=3)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("ab~/", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


def without_nulls(value):
    if isinstance(value, dict):
        return {key: without_nulls(part) for key, part in value.items() if part is not None}
    return value


@pytest.mark.parametrize(
    ("target", "change", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        (["a"], {"a": 1}, {"a": 1}),
    ],
)
def test_merge_patch_follows_the_table_of_its_rfc(target, change, expected):
    """The examples of RFC 7386, appendix A."""
    assert patch.merge(target, change) == expected


@hypothesis.given(VALUES, VALUES)
def test_merge_patch_is_idempotent_and_leaves_its_arguments_alone(target, change):
    """A second application changes nothing more."""
    before = copy.deepcopy((target, change))
    once = patch.merge(target, change)
    assert patch.merge(once, change) == once
    assert (target, change) == before


@hypothesis.given(st.dictionaries(st.text("ab", max_size=2), VALUES, max_size=3))
def test_merge_patch_onto_nothing_gives_the_patch_without_nulls(change):
    """Nulls remove, and from nothing there is nothing to remove."""
    assert patch.merge({}, change) == without_nulls(change)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "add", "path": "/l/1", "value": 9}, {"a": {"b": 1}, "l": [1, 9, 2]}),
        ({"op": "add", "path": "/l/-", "value": 9}, {"a": {"b": 1}, "l": [1, 2, 9]}),
        ({"op": "remove", "path": "/l/0"}, {"a": {"b": 1}, "l": [2]}),
        ({"op": "replace", "path": "/a/b", "value": 2}, {"a": {"b": 2}, "l": [1, 2]}),
        ({"op": "move", "from": "/a/b", "path": "/c"}, {"a": {}, "l": [1, 2], "c": 1}),
        ({"op": "copy", "from": "/a", "path": "/c"}, {"a": {"b": 1}, "l": [1, 2], "c": {"b": 1}}),
        ({"op": "add", "path": "/x~1y~0z", "value": 0}, {"a": {"b": 1}, "l": [1, 2], "x/y~z": 0}),
        ({"op": "test", "path": "/a", "value": {"b": 1}}, {"a": {"b": 1}, "l": [1, 2]}),
        ({"op": "test", "path": "/gone", "value": None}, {"a": {"b": 1}, "l": [1, 2]}),
    ],
)
def test_json_patch_does_each_operation(operation, expected):
    """One operation at a time on one document."""
    assert patch.json_patch({"a": {"b": 1}, "l": [1, 2]}, [operation]) == expected


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/a", "value": 2},
        {"op": "test", "path": "/a", "value": True},
        {"op": "remove", "path": "/b"},
        {"op": "replace", "path": "/b", "value": 1},
        {"op": "add", "path": "/l/7", "value": 1},
        {"op": "add", "path": "/b/c", "value": 1},
        {"op": "jump", "path": "/a"},
        {"op": "add", "path": "a", "value": 1},
    ],
)
def test_json_patch_that_cannot_be_done_is_refused_with_422(operation):
    """A failed test, an absent target, an unknown operation."""
    with pytest.raises(errors.StatusError) as raised:
        patch.json_patch({"a": 1, "l": []}, [operation])
    assert raised.value.code == 422


@hypothesis.given(VALUES, VALUES)
def test_json_patch_replaces_the_whole_document(target, value):
    """The empty path is the document itself."""
    assert patch.json_patch(target, [{"op": "replace", "path": "", "value": value}]) == value


POD_SPEC = shapes.defined("io.k8s.api.core.v1.PodSpec")
TWO = {"containers": [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}]}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ([{"name": "b", "image": "b:2"}], [("a", "a:1"), ("b", "b:2")]),
        ([{"name": "c", "image": "c:1"}], [("c", "c:1"), ("a", "a:1"), ("b", "b:1")]),
        ([{"name": "a", "$patch": "delete"}], [("b", "b:1")]),
        ([{"$patch": "replace"}, {"name": "z", "image": "z:1"}], [("z", "z:1")]),
    ],
)
def test_strategic_patch_merges_containers_by_name(change, expected):
    """Lists with a merge key change item by item."""
    found = strategic.merge(TWO, {"containers": change}, POD_SPEC)["containers"]
    assert [(part["name"], part["image"]) for part in found] == expected


def test_set_element_order_puts_the_items_into_that_order():
    """Kubectl says the order of the whole list next to what changes."""
    change = {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}
    found = strategic.merge(TWO, change, POD_SPEC)["containers"]
    assert [part["name"] for part in found] == ["b", "a"]


def test_retain_keys_drops_all_other_keys():
    """A volume that changes its source keeps nothing of the old one."""
    original = {"volumes": [{"name": "v", "emptyDir": {}}]}
    change = {"volumes": [{"name": "v", "$retainKeys": ["name", "secret"], "secret": {}}]}
    found = strategic.merge(original, change, POD_SPEC)
    assert found["volumes"] == [{"name": "v", "secret": {}}]


def test_delete_from_primitive_list_takes_values_out():
    """Finalizers are a merged list of plain values."""
    meta = shapes.object_meta()
    original = {"finalizers": ["a/x", "a/y"]}
    change = {"$deleteFromPrimitiveList/finalizers": ["a/x"], "finalizers": ["a/z"]}
    found = strategic.merge(original, change, meta)
    assert sorted(found["finalizers"]) == ["a/y", "a/z"]


def test_lists_without_a_merge_key_are_replaced():
    """Arguments of a container are one value."""
    original = {"containers": [{"name": "a", "args": ["1", "2"]}]}
    found = strategic.merge(original, {"containers": [{"name": "a", "args": ["3"]}]}, POD_SPEC)
    assert found["containers"][0]["args"] == ["3"]


def test_item_without_its_merge_key_is_refused():
    """Nobody can tell which container is meant."""
    with pytest.raises(errors.StatusError, match="does not contain declared merge key: name"):
        strategic.merge(TWO, {"containers": [{"image": "x"}]}, POD_SPEC)


@hypothesis.given(st.permutations(["a", "b", "c", "d"]), st.sets(st.sampled_from("abcd")))
def test_patching_with_what_is_there_changes_nothing_but_the_order(names, chosen):
    """Every item is kept exactly once."""
    original = {"containers": [{"name": name, "image": name} for name in names]}
    change = {"containers": [{"name": name, "image": name} for name in sorted(chosen)]}
    found = strategic.merge(original, change, POD_SPEC)["containers"]
    assert sorted(part["name"] for part in found) == ["a", "b", "c", "d"]
