"""What an audit makes of what it has seen: findings in words, and the steps that heal."""

from pathlib import Path

import pytest

from azrunbook import activity_log, live_drift, releases
from azrunbook.procedures import (
    drift_audit,
    drift_facts,
    drift_findings,
    drift_strangers,
    provision,
    release_steps,
)

AUTHOR = live_drift.Author("kubectl-set", "2026-11-26T10:00:00Z")
REFERENCE = {
    "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "app"},
}  # fmt: skip
SEEN = live_drift.Addition("metadata.labels.team", ("metadata", "labels", "team"), "<b>", AUTHOR)
HIDDEN = live_drift.Addition("data.x", ("data", "x"), live_drift.HIDDEN, AUTHOR)
CHANGED = live_drift.Difference("spec.port", 80, 81, AUTHOR)
RUNNING = drift_facts.RegionState("primary", "eastus", "aks", "running")


def layers(*, objects=(), strangers=(), **rest):
    spec = release_steps.Spec("primary", "eastus", "traefik", "traefik", Path("chart"), {})
    current = releases.Release("traefik", "traefik", 1, "deployed", "traefik", "1.0.0", "1")
    fact = release_steps.Fact(spec, current, (), "no_change")
    return drift_facts.Layers(
        azure=provision.Facts((), {}),
        undeclared={},
        regions=(RUNNING,),
        releases=(drift_facts.ReleaseFact("ingress", fact, None, tuple(objects)),),
        strangers=tuple(strangers),
        **rest,
    )


def thing(*, is_missing=False, differences=(), additions=()):
    return drift_facts.ObjectFact(REFERENCE, is_missing, tuple(differences), tuple(additions))


TAKE = "take additions out of Service app/web in eastus"
RELEASE = "release traefik in eastus"


@pytest.mark.parametrize(
    ("found", "steps"),
    [
        ([], []),
        ([thing(additions=[HIDDEN])], []),
        ([thing(additions=[SEEN, HIDDEN])], [(TAKE, (), "traefik")]),
        ([thing(differences=[CHANGED])], [(RELEASE, (), None)]),
        ([thing(is_missing=True)], [(RELEASE, (), None)]),
        # Together: taken out first, and not waited for, because the release may have to mend more.
        (
            [thing(differences=[CHANGED], additions=[SEEN])],
            [(TAKE, (), ""), (RELEASE, (TAKE,), None)],
        ),
    ],
)
def test_each_object_is_healed_by_what_heals_it(found, steps):
    """Releasing puts back; what was added is taken out, but for what could not be put back."""
    plan = drift_audit.plan(drift_audit.Facts(layers(objects=found)))
    assert [(one.name, one.after, one.arguments.get("waits_for")) for one in plan.steps] == steps


def test_only_what_is_shown_is_taken_out():
    """A hidden value is neither in the step nor in its way back."""
    plan = drift_audit.plan(drift_audit.Facts(layers(objects=[thing(additions=[SEEN, HIDDEN])])))
    (step,) = plan.steps
    assert [one["path"] for one in step.arguments["additions"]] == ["metadata.labels.team"]
    assert [one["manager"] for one in step.undo[0].arguments["additions"]] == ["kubectl-set"]
    assert [one.path for one in plan.changes[0].properties] == ["metadata.labels.team"]


def test_what_nobody_declares_has_a_note_and_no_step():
    """It is a finding all the same, with who made it."""
    seen = layers(strangers=[drift_strangers.Stranger("eastus", "Secret", "app/mine", AUTHOR)])
    plan = drift_audit.plan(drift_audit.Facts(seen))
    assert (plan.steps, plan.is_empty) == ((), True)
    assert "Secret app/mine in eastus" in plan.notes[0]
    assert str(drift_findings.list_all(seen)) == (
        "undeclared Secret app/mine [eastus] (kubectl-set, 2026-11-26T10:00:00Z)"
    )


@pytest.mark.parametrize(
    ("writes", "error", "by"),
    [
        ({"/id": activity_log.Write("rob@contoso.com", "10:00", "write", is_own=False,
                                    has_ended=True)}, "", ("rob@contoso.com (write)", "10:00")),
        ({"/id": None}, "", ("not yet told", "")),
        ({}, "403: no right", ("not told", "")),
    ],
)  # fmt: skip
def test_who_wrote_a_resource_is_told_as_far_as_azure_does(writes, error, by):
    """Nothing told may be told later; a log that cannot be read is said to be that."""
    body = {"type": "Microsoft.Network/networkSecurityGroups", "name": "mine", "location": "eastus"}
    seen = drift_facts.Layers(
        azure=provision.Facts((), {}), undeclared={"/ID": body}, regions=(RUNNING,),
        writes=writes, log_error=error,
    )  # fmt: skip
    (one,) = drift_findings.list_all(seen)
    assert (one.kind, one.by, one.at) == ("undeclared", *by)
    notes = drift_audit.plan(drift_audit.Facts(seen)).notes
    assert any("cannot be told: 403" in note for note in notes) is bool(error)


def test_findings_are_a_table_that_nobody_can_write_tags_into():
    """Values are somebody else's, and long ones are cut."""
    long = live_drift.Addition("spec.note", ("spec", "note"), "word " * 90, AUTHOR)
    table = drift_findings.list_all(layers(objects=[thing(additions=[SEEN, long])]))
    assert str(table[0]) == (
        'Service app/web [eastus] metadata.labels.team: "<b>" was added '
        "(kubectl-set, 2026-11-26T10:00:00Z)"
    )
    text = table._repr_html_()
    assert "&lt;b&gt;" in text
    assert "<b>" not in text
    assert "[...]" in text
    assert "kubectl-set 2026-11-26T10:00:00Z" in text
