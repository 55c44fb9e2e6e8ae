"""The pure parts of the upgrade: patched source, plan, phases, triggers, pods by version."""

import importlib.util
from pathlib import Path

import pytest

from azrunbook import availability, errors, plan as plans, releases, workloads
from azrunbook.procedures import (
    app_upgrade,
    patched_source,
    release_steps,
    upgrade_phases,
    version_watch,
)

APP = Path(__file__).parents[2] / "app"


def fact(location, revision=3):
    spec = release_steps.Spec(
        role=location, location=location, name="app", namespace="ns", chart=APP, values={}
    )
    current = revision and releases.Release("app", "ns", revision, "deployed", "app", "1", "1")
    return release_steps.Fact(spec, current or None, (), "update")


def facts(*, version="1.0.1", digest="", revision=3):
    return app_upgrade.Facts(
        declared="1.0.0",
        version=version,
        broken_version="1.0.2",
        description="Something.",
        source="f" * 64,
        digest=digest,
        upgrade=release_steps.Facts((fact("west", revision), fact("east", revision))),
        broken=fact("east", revision),
        values={"west": (plans.PropertyChange("values image tag", "1.0.0", "1.0.1"),), "east": ()},
    )


def phase(name="phase", *, good=100, failed=0, latency=0.01, seconds=5.0, version="1.0.0"):
    samples = [
        availability.Sample(
            at=seconds * place / (good + failed),
            latency_seconds=latency,
            status=503 if place < failed else 200,
            version="" if place < failed else version,
        )
        for place in range(good + failed)
    ]
    return upgrade_phases.Phase(name, 0.0, seconds, samples)


def revision(number, status, description=""):
    return releases.Revision(number, status, "app-1", "1", description)


def pod(version, *, is_ready=True):
    images = (f"registry.test/app:{version}",)
    return workloads.Pod("p", node="n", state="Running", is_ready=is_ready, restarts=0,
                         images=images)  # fmt: skip


def test_the_patched_source_differs_where_its_file_says():
    """Only the named files differ, and the working copy is as it was."""
    before = (APP / "src/main.py").read_text()
    with patched_source.copied(APP, "1.0.1") as copy:
        names = [path.relative_to(copy) for path in copy.rglob("*") if path.is_file()]
        changed = {str(n) for n in names if (copy / n).read_bytes() != (APP / n).read_bytes()}
    assert changed == {"src/main.py", "Dockerfile"}
    assert (APP / "src/main.py").read_text() == before
    assert not copy.exists()


def test_the_patched_application_says_another_thing():
    """1.0.1 runs, and its index page names the region."""
    with patched_source.copied(APP, "1.0.1") as copy:
        spec = importlib.util.spec_from_file_location("patched_main", copy / "src/main.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        client = module.create_app(module.Settings(region="eastus")).test_client()
    assert client.get("/").json["message"] == "Application is running in eastus"


def test_the_digest_is_of_the_patched_source():
    """The same each time, and another one than that of the working copy."""
    first = patched_source.digest(APP, "1.0.1")
    assert first == patched_source.digest(APP, "1.0.1")
    assert first != patched_source.contexts.digest(APP)


@pytest.mark.parametrize(
    ("find", "said"),
    [("not there", "0 times"), ("e", "times: expected once")],
)
def test_a_patch_that_does_not_fit_is_refused(tmp_path, find, said):
    """What is to be replaced must be there exactly once."""
    (tmp_path / "releases").mkdir()
    (tmp_path / "Dockerfile").write_text("# here and there\n")
    (tmp_path / "releases/2.yaml").write_text(
        f'description: d\nchanges: [{{file: Dockerfile, find: "{find}", replace: x}}]\n'
    )
    with pytest.raises(errors.EstateError, match=said):
        patched_source.digest(tmp_path, "2")


def test_an_unknown_release_is_refused():
    """The file that would say what it changes is named."""
    with pytest.raises(errors.EstateError, match=r"9\.9\.9\.yaml does not exist"):
        patched_source.digest(APP, "9.9.9")


@pytest.mark.parametrize(("digest", "groups"), [
    ("", ("image", "upgrade", "broken release", "roll back")),
    ("sha256:" + "ab" * 32, ("upgrade", "broken release", "roll back")),
])  # fmt: skip
def test_the_plan_goes_there_and_back(digest, groups):
    """What is built already is not built again."""
    assert app_upgrade.plan(facts(digest=digest)).groups == groups


@pytest.mark.parametrize("group", ["upgrade", "roll back"])
def test_regions_change_one_after_the_other(group):
    """The second step of a group waits for the first."""
    first, second = app_upgrade.plan(facts()).list_steps(group)
    assert (first.after, second.after) == ((), (first.name,))


def test_every_region_that_is_changed_has_its_way_back_first():
    """The undo of the upgrade goes to the revision before the run, whatever came after."""
    steps = app_upgrade.plan(facts(revision=7)).list_steps("upgrade")
    assert [one.undo[0].arguments["revision"] for one in steps] == [7, 7]
    assert {one.undo[0].action for one in steps} == {"roll_back_release"}


def test_the_plan_shows_values_and_objects():
    """What changes in the values stands before what that changes in the objects."""
    change = app_upgrade.plan(facts()).changes[1]
    assert [one.path for one in change.properties] == ["values image tag"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"version": "1.0.0"}, "three different"),
        ({"version": "1.0.2"}, "three different"),
        ({"revision": 0}, "nothing to come back to"),
    ],
)
def test_an_upgrade_without_a_way_back_is_refused(given, said):
    """Before anything is changed."""
    with pytest.raises(errors.PlanError, match=said):
        app_upgrade.plan(facts(**given))


def test_values_are_compared_by_name():
    """Only what differs is listed, where it stands."""
    found = app_upgrade.compare_values({"a": {"b": 1, "c": 2}}, {"a": {"b": 3, "c": 2}}, "r", "ns")
    assert found == (plans.PropertyChange("Release ns/r values a b", 1, 3),)


FAILED, BACK = revision(3, "failed", "Upgrade failed"), revision(4, "superseded", "Rollback to 2")


@pytest.mark.parametrize(
    ("revisions", "since", "found"),
    [
        ([], 0, None),
        ([revision(2, "superseded"), FAILED, BACK], 2, (FAILED, BACK)),
        ([revision(2, "superseded"), FAILED, BACK], 4, None),  # of an earlier run
        ([revision(2, "deployed"), FAILED], 2, None),  # nobody took it back
        ([revision(3, "deployed"), BACK], 2, None),  # taken back by hand: it had come up
    ],
)
def test_a_release_was_taken_back_when_it_failed_and_a_rollback_follows(revisions, since, found):
    """Only revisions of this run count."""
    assert app_upgrade.find_taken_back(revisions, since) == found


def test_phases_are_cut_at_their_marks():
    """The first is the baseline; each request is in one phase."""
    samples = [availability.Sample(at=at, latency_seconds=0.1, status=200) for at in range(10)]
    marks = [availability.Mark(3, "a"), availability.Mark(7, "b")]
    found = upgrade_phases.split(samples, marks, 10)
    assert [(one.name, len(one.samples), one.seconds) for one in found] == [
        ("baseline", 3, 3), ("a", 4, 4), ("b", 3, 3),
    ]  # fmt: skip


def test_without_requests_there_are_no_phases():
    """A dry run shows an empty table."""
    assert upgrade_phases.split([], [availability.Mark(3, "a")], 10) == ()


@pytest.mark.parametrize(
    ("changed", "failed"),
    [
        ({}, []),
        ({"good": 99, "failed": 1}, []),  # one point more is still allowed
        ({"good": 98, "failed": 2}, ["error rate"]),
        ({"latency": 0.059}, []),  # within the tolerance
        ({"latency": 0.061}, ["latency"]),
        ({"good": 80}, []),
        ({"good": 79}, ["throughput"]),
        ({"good": 0, "failed": 100}, ["error rate", "latency", "throughput"]),
    ],
)
def test_triggers_are_those_that_microsoft_publishes(changed, failed):
    """Against a baseline of 20 answers a second in 10 ms."""
    phases = upgrade_phases.PhaseTable([phase("baseline"), phase(**changed)])
    found = upgrade_phases.check_triggers(phases, tolerance_seconds=0.05)
    assert [one.name for one in found if not one.passed] == failed


@pytest.mark.parametrize(("latency", "passed"), [(0.39, True), (0.41, False)])
def test_a_slow_baseline_may_double(latency, passed):
    """The tolerance only counts where twice the baseline is less."""
    phases = upgrade_phases.PhaseTable([phase("baseline", latency=0.2), phase(latency=latency)])
    assert upgrade_phases.check_triggers(phases, tolerance_seconds=0.05)[1].passed is passed


@pytest.mark.parametrize(
    ("latencies", "passed"), [((0.01, 1.0), True), ((1.0, 0.01), True), ((1.0, 1.0), False)]
)
def test_a_latency_has_to_stay_high(latencies, passed):
    """A stall in one phase is no trigger; a version that is slow in all of them is."""
    after = [phase(latency=one) for one in latencies]
    phases = upgrade_phases.PhaseTable([phase("baseline"), *after])
    assert upgrade_phases.check_triggers(phases, tolerance_seconds=0.05)[1].passed is passed


@pytest.mark.parametrize(
    ("version", "ends_with", "passed"),
    [("1.0.1", "1.0.1", True), ("1.0.1", None, True), ("1.0.1", "1.0.0", False),
     ("1.0.2", None, False)],
)  # fmt: skip
def test_only_expected_versions_may_answer(version, ends_with, passed):
    """A version that is not allowed fails the phase, and so does the wrong one at the end."""
    found = upgrade_phases.check_versions(
        phase(version=version), ends_with=ends_with, allowed={"1.0.0", "1.0.1"}
    )
    assert found.passed is passed


def test_pods_are_counted_by_the_tag_of_their_image():
    """Ready ones and others apart."""
    pods = [pod("1.0.0"), pod("1.0.0"), pod("1.0.2", is_ready=False)]
    found = version_watch.count(1.0, "east", pods)
    assert (found.ready, found.waiting) == ({"1.0.0": 2}, {"1.0.2": 1})


def test_only_changes_of_a_region_are_kept():
    """The same look again says nothing new; the other region's does."""
    one, two = [pod("1.0.0")], [pod("1.0.0"), pod("1.0.1")]
    looks = [("east", one), ("west", one), ("east", one), ("east", two), ("west", one)]
    seen = [version_watch.count(at, *look) for at, look in enumerate(looks)]
    assert [kept.at for kept in version_watch.keep_changes(seen)] == [0, 1, 3]
    assert version_watch.find_fewest_ready(seen, "east") == 1
    assert version_watch.find_fewest_ready([], "east") == 0


def test_the_picture_names_regions_and_versions():
    """One row a region, with the versions in the legend."""
    seen = [version_watch.count(at, "eastus", [pod("1.0.0"), pod("1.0.1")]) for at in range(3)]
    marks = [availability.Mark(1, "upgrade")]
    text = version_watch.plot(seen, marks, start=0, title="Replicas").text
    for word in ("eastus", "1.0.0", "1.0.1", "upgrade"):
        assert f"<!-- {word} -->" in text or word in text
