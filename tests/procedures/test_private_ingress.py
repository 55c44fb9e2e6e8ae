"""Staging on a sandbox: an ingress without a public address, behind Front Door's private links."""

import pytest

from azrunbook.procedures import actions, static_assets, undoing
from azrunbook.resources import model

PROVISION, ROLL_OUT = "01_provision_estate", "02_roll_out_ingress"


@pytest.fixture
def wait_for_status(private):
    """Ask the public endpoint until it answers so; Traefik's own answer, with no app, is 404."""

    def wait(status, path="/"):
        with private.clients().prober(path, rate_per_second=10) as prober:
            prober.wait_for(lambda seen: bool(seen) and seen[-1].status == status,
                            what=f"a {status}", timeout_seconds=30)  # fmt: skip

    return wait


def check_static_assets(clients, tell, wait_for_status):
    """Missing ones are uploaded to each account, served, and taken away again."""
    names = static_assets.observe(clients).names
    _, steps = static_assets.plan_uploads(static_assets.observe(clients))
    assert [(step.arguments["role"], tuple(step.arguments["names"])) for step in steps] == [
        ("primary", names), ("secondary", names),
    ]  # fmt: skip
    for step in steps:
        actions.perform(step.action, clients, tell, step.arguments)
    assert static_assets.plan_uploads(static_assets.observe(clients)) == ((), ())
    for name in names:
        wait_for_status(200, f"/static/{name}")
    for step in steps:
        (undo,) = step.undo
        actions.perform(undo.action, clients, tell, undo.arguments)
    assert [one.missing for one in static_assets.observe(clients).regions] == [names, names]


def test_front_door_reaches_a_private_ingress_by_approved_links_only(
    private, tell, wait_for_status
):
    """01 leaves out what leads to the ingress, 02 puts and approves it, its undo takes it away."""
    first = private.perform(PROVISION)
    assert first.verdict == "passed", first.error
    origins = [one["name"] for one in first.plan["changes"] if one["type"] == model.ORIGIN]
    assert len(origins) == 2, "those of the storage accounts"
    assert "put by 02_roll_out_ingress" in " ".join(first.plan["notes"])
    done = private.perform(ROLL_OUT)
    assert done.verdict == "passed", done.error
    assert private.perform(PROVISION).started == []
    wait_for_status(404)
    links = [step for step in done.plan["steps"] if step["action"] == "approve_link"]
    for step in links:
        actions.perform("reject_link", private.clients(), tell, step["arguments"])
    wait_for_status(504)
    again = private.perform(ROLL_OUT)
    assert sorted(again.started) == sorted(step["name"] for step in links)
    wait_for_status(404)
    check_static_assets(private.clients(), tell, wait_for_status)
    for run in (again, done):
        assert undoing.undo(run.folder, private.clients()).verdict == "undone"
    later = private.perform(PROVISION, apply=False)
    assert later.plan["notes"] == first.plan["notes"]
    assert set(later.actions) == {"no_change"}
