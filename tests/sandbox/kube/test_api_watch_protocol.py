"""Lists in pages and watches, to the letter: what clients' caches are built on."""

import json

import pytest

from azrunbook.sandbox.kube import store

END = {"k8s.io/initial-events-end": "true"}


@pytest.fixture
def path(ns):
    return f"/api/v1/namespaces/{ns}/configmaps"


@pytest.fixture
def make(kube_api, ns):
    """Create or relabel a ConfigMap; returns its version."""
    resource = kube_api.registry.resources.get("", "configmaps")

    def run(name, **labels):
        async def write():
            body = {"metadata": {"name": name, "labels": labels}}
            if kube_api.registry.find(resource, ns, name) is None:
                return kube_api.registry.create(resource, ns, body)
            return kube_api.registry.update(resource, ns, name, body)

        return int(kube_api.run(write())["metadata"]["resourceVersion"])

    return run


def watch(http, path, accept="application/json", **query):
    """All events of a watch of one second."""
    query = {"watch": "true", "timeoutSeconds": "1", **query}
    text = http.get(path, params=query, headers={"Accept": accept}).text
    return [json.loads(line) for line in text.splitlines()]


def shown(events):
    return [(event["type"], event["object"]["metadata"].get("name")) for event in events]


def names(answer):
    return [item["metadata"]["name"] for item in answer.json()["items"]]


@pytest.fixture
def forget_soon(monkeypatch):
    """A history of two changes."""
    monkeypatch.setattr(store, "HISTORY_MINIMUM", 1)
    monkeypatch.setattr(store, "HISTORY_MAXIMUM", 2)
    monkeypatch.setattr(store, "HISTORY_SECONDS", 0)


@pytest.mark.parametrize("version", ["", "0"])
def test_watch_from_no_version_begins_with_what_exists(http, path, make, version):
    """Made-up ADDED events, then what happens."""
    make("a")
    query = {"resourceVersion": version} if version else {}
    assert shown(watch(http, path, **query)) == [("ADDED", "a")]


def test_initial_events_end_with_their_mark_also_without_bookmarks(http, path, make):
    """At a version that covers all of them."""
    last = make("a")
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
    events = watch(http, path, allowWatchBookmarks="true", **query)
    assert shown(events) == [("ADDED", "a"), ("BOOKMARK", None)]
    metadata = events[-1]["object"]["metadata"]
    assert metadata["annotations"] == END
    assert int(metadata["resourceVersion"]) >= last


def test_watch_that_wants_no_initial_events_begins_now(http, path, make):
    """With the option said and off."""
    make("a")
    query = {"sendInitialEvents": "false", "resourceVersionMatch": "NotOlderThan"}
    assert watch(http, path, **query) == []


def test_object_moves_in_and_out_of_a_selection(http, path, make):
    """ADDED when it starts to match, DELETED when it stops, in its new state."""
    first = make("a", x="0")
    for label in ("1", "2", "1"):
        make("a", x=label)
    events = watch(http, path, labelSelector="x=1", resourceVersion=str(first))
    assert [event["type"] for event in events] == ["ADDED", "DELETED", "ADDED"]
    assert events[1]["object"]["metadata"]["labels"] == {"x": "2"}


def test_watch_of_one_name_sees_that_one(http, path, make):
    """By the field selector, by the name in the path, and by the old path of watches."""
    first = make("a")
    make("b")
    make("a", x="1")
    query = {"resourceVersion": str(first)}
    expected = [("MODIFIED", "a")]
    assert shown(watch(http, path, fieldSelector="metadata.name=a", **query)) == expected
    assert shown(watch(http, f"{path}/a", **query)) == expected
    old = path.replace("/api/v1/", "/api/v1/watch/")
    assert shown(watch(http, f"{old}/a", **query)) == expected


def test_watch_of_metadata_and_of_tables(http, path, make):
    """Each event in the form that was asked for."""
    make("a")
    form = "application/json;as={};v=v1;g=meta.k8s.io"
    partial = watch(http, path, form.format("PartialObjectMetadata"))[0]["object"]
    assert (partial["kind"], "data" in partial) == ("PartialObjectMetadata", False)
    table = watch(http, path, form.format("Table"))[0]["object"]
    assert table["rows"][0]["cells"][0] == "a"


@pytest.mark.usefixtures("forget_soon")
def test_version_that_is_forgotten_is_gone_for_a_watch(http, path, make):
    """As an event of a stream that has begun; listing again is what helps."""
    first = make("a")
    for label in "12345":
        make("a", x=label)
    (event,) = watch(http, path, resourceVersion=str(first))
    assert event["type"] == "ERROR"
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
    assert "too old resource version" in event["object"]["message"]


@pytest.mark.usefixtures("forget_soon")
def test_page_that_is_forgotten_is_gone_but_can_be_gone_on_with(http, path, make):
    """The 410 carries a token for the rest of the list as it is now."""
    for name in "abc":
        make(name)
    page = http.get(path, params={"limit": 1}).json()
    for label in "12345":
        make("c", x=label)
    make("d")
    gone = http.get(path, params={"limit": 1, "continue": page["metadata"]["continue"]})
    assert (gone.status_code, gone.json()["reason"]) == (410, "Expired")
    token = gone.json()["metadata"]["continue"]
    rest = http.get(path, params={"continue": token})
    assert names(rest) == ["b", "c", "d"]


@pytest.mark.usefixtures("forget_soon")
def test_version_that_is_forgotten_cannot_be_listed_exactly(http, path, make):
    """But not older than it, yes."""
    first = make("a")
    for label in "12345":
        make("a", x=label)
    query = {"resourceVersion": first, "resourceVersionMatch": "Exact"}
    assert http.get(path, params=query).status_code == 410
    assert names(http.get(path, params={**query, "resourceVersionMatch": "NotOlderThan"})) == ["a"]


def test_version_is_listed_exactly_or_not_older(http, path, make):
    """What there was then, and what there is now."""
    first = make("a")
    make("b")
    query = {"resourceVersion": first, "resourceVersionMatch": "Exact"}
    exact = http.get(path, params=query)
    assert (names(exact), exact.json()["metadata"]["resourceVersion"]) == (["a"], str(first))
    assert names(http.get(path, params={"resourceVersion": first})) == ["a", "b"]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_make_up_the_list(http, path, make, limit):
    """Of one version, each object once, with a true count of what remains."""
    for number in range(7):
        make(f"c{number}")
    found, token, versions = [], "", set()
    while True:
        page = http.get(path, params={"limit": limit, "continue": token})
        metadata = page.json()["metadata"]
        found += names(page)
        versions.add(metadata["resourceVersion"])
        assert metadata.get("remainingItemCount", 0) == 7 - len(found)
        token = metadata.get("continue", "")
        if not token:
            break
    assert found == [f"c{number}" for number in range(7)]
    assert len(versions) == 1


def test_page_of_a_selection_counts_nothing(http, path, make):
    """What remains of it is not known without looking."""
    for name in "abc":
        make(name, x="1")
    metadata = http.get(path, params={"limit": 1, "labelSelector": "x=1"}).json()["metadata"]
    assert "continue" in metadata
    assert "remainingItemCount" not in metadata
