"""Events: counted, combined, limited and forgotten."""

import datetime as dt

import pytest

from azrunbook.sandbox.kube import registry, resources, store
from azrunbook.sandbox.kube.access import bootstrap
from azrunbook.sandbox.kube.controllers import events

START = dt.datetime(2026, 1, 31, 12, 0, tzinfo=dt.UTC)


class Scene:
    """A registry, a recorder with a clock that is set by hand, and an object to report on."""

    def __init__(self):
        self.at = START
        self.registry = registry.Registry(resources.ResourceTable(), store.Store())
        bootstrap.seed(self.registry)
        self.recorder = events.Recorder(self.registry, lambda: self.at)
        metadata = {"name": "web", "namespace": "default", "uid": "u"}
        self.about = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata}

    def later(self, seconds=1):
        self.at += dt.timedelta(seconds=seconds)

    def say(self, message, about=None):
        self.later()
        self.recorder.normal(about or self.about, "Happened", message, component="me")

    def list(self):
        return self.registry.list(self.registry.resources.get("", "events"), "default")


@pytest.fixture
def scene():
    return Scene()


def test_event_says_who_what_and_when(scene):
    """The fields that kubectl shows and selects by."""
    scene.say("it happened")
    (event,) = scene.list()
    assert event["involvedObject"]["name"] == "web"
    assert event["source"] == {"component": "me"}
    assert event["reportingComponent"] == "me"
    assert event["count"] == 1
    assert event["firstTimestamp"] == event["lastTimestamp"] == "2026-01-31T12:00:01Z"
    assert event["metadata"]["name"].startswith("web.")


def test_same_event_is_counted(scene):
    """Three times the same is one event with count 3 and the last time."""
    for _ in range(3):
        scene.say("again")
    (event,) = scene.list()
    assert (event["count"], event["lastTimestamp"]) == (3, "2026-01-31T12:00:03Z")


def test_many_similar_events_are_combined(scene):
    """From the tenth different message of one reason on they share one event."""
    for index in range(12):
        scene.say(f"number {index}")
    messages = [event["message"] for event in scene.list()]
    assert len(messages) == 10
    assert "(combined from similar events): number 11" in messages


def test_noisy_object_is_limited_without_silencing_others(scene):
    """After 25 at once about one object no more are written; another object still can."""
    for _ in range(40):
        scene.recorder.normal(scene.about, "Happened", "again", component="me")
    (event,) = scene.list()
    assert event["count"] == 25
    other = {**scene.about, "metadata": {**scene.about["metadata"], "name": "b", "uid": "b"}}
    scene.say("quiet", other)
    assert len(scene.list()) == 2


def test_scheduler_writes_the_newer_form(scene):
    """eventTime, action and reportingComponent; a repetition becomes a series."""
    for _ in range(2):
        scene.recorder.scheduling(scene.about, "Warning", "FailedScheduling", "no", action="Try")
    (event,) = scene.list()
    assert event["eventTime"] == "2026-01-31T12:00:00.000000Z"
    assert (event["reportingComponent"], event["action"]) == ("default-scheduler", "Try")
    assert event["series"]["count"] == 2


def test_event_in_a_namespace_that_is_gone_is_dropped(scene):
    """Reporting never fails what it reports on."""
    metadata = {**scene.about["metadata"], "namespace": "gone"}
    scene.say("lost", {**scene.about, "metadata": metadata})
    assert scene.list() == []


def test_event_is_forgotten_after_an_hour(scene):
    """Until then the remaining seconds are the answer; after it the event is gone."""
    scene.say("old")
    expiry = events.EventExpiry(scene.registry, lambda: scene.at)
    key = ("default", scene.list()[0]["metadata"]["name"])
    scene.later(600)
    assert expiry.reconcile(key) == 3000
    scene.later(3000)
    assert expiry.reconcile(key) is None
    assert scene.list() == []
