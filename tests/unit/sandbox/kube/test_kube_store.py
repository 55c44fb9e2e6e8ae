"""The store: order, versions, history, the end of history."""

import pytest

from azrunbook.sandbox.kube import errors, store


def put(target, name, **content):
    obj = {"metadata": {"name": name, "namespace": "n"}, **content}
    return target.put("things", ("n", name), obj)


@pytest.fixture
def filled():
    found = store.Store()
    for name in ("b", "a", "c"):
        put(found, name, value=1)
    return found


def test_lists_are_in_the_order_of_names(filled):
    """Whatever the order of creation."""
    assert [obj["metadata"]["name"] for obj in filled.list_all("things", "n")] == ["a", "b", "c"]


def test_each_write_has_a_later_version(filled):
    """Versions are one counter over all collections."""
    versions = [int(obj["metadata"]["resourceVersion"]) for obj in filled.list_all("things")]
    assert sorted(versions) == [2, 3, 4]
    assert filled.revision == 4


def test_a_deletion_shows_the_last_state_with_its_own_version(filled):
    """A watcher that goes on from a DELETED event misses nothing."""
    last = filled.delete("things", ("n", "a"))
    assert last["metadata"]["resourceVersion"] == "5"
    assert filled.find("things", ("n", "a")) is None


def test_the_list_of_an_earlier_version_is_as_it_was(filled):
    """Changes, creations and deletions since then are undone."""
    put(filled, "a", value=2)
    put(filled, "d", value=1)
    filled.delete("things", ("n", "b"))
    found = filled.list_at("things", "n", 4)
    assert [(obj["metadata"]["name"], obj["value"]) for obj in found] == [
        ("a", 1),
        ("b", 1),
        ("c", 1),
    ]


def test_history_that_is_gone_is_a_410(filled, monkeypatch):
    """A version from before the first kept change cannot be watched from."""
    monkeypatch.setattr(store, "HISTORY_MINIMUM", 5)
    monkeypatch.setattr(store, "HISTORY_SECONDS", 0.0)
    for value in range(30):
        put(filled, "a", value=value)
    with pytest.raises(errors.StatusError) as raised:
        filled.collection("things").position_after(3)
    assert raised.value.code == 410
    assert len(filled.collection("things").history) <= 11


async def test_waiting_ends_with_the_next_change(filled):
    """A position at the end sleeps until something is written."""
    collection = filled.collection("things")
    end = collection.end()
    put(filled, "z")
    await collection.wait_beyond(end)
    assert [change.key for change in collection.changes_from(end)] == [("n", "z")]
