"""Which entry of Azure's activity log is the last write of a resource."""

import pytest

from azrunbook import activity_log

PERSON = {activity_log._UPN: "rob@contoso.com", "appid": "portal"}


def event(second, status="Succeeded", *, action="Microsoft.X/y/write", operation=None, **rest):
    return {
        "eventTimestamp": f"2026-11-26T10:00:{second:02}.1234567Z",
        "operationId": operation or str(second),
        "operationName": {"value": action},
        "status": {"value": status},
        "claims": {"appid": "other"},
        **rest,
    }


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ([], "None"),
        ([event(1), event(3, claims=PERSON), event(2)], "rob@contoso.com (write)"),
        ([event(1, claims={}, caller="sue@contoso.com")], "sue@contoso.com (write)"),
        ([event(1, claims={}, caller="")], "an unnamed identity (write)"),
        ([event(1, "Started"), event(1, "Accepted")], "application other (write, under way)"),
        # What failed wrote nothing, though it was accepted; an earlier write is the last one.
        (
            [event(1, claims=PERSON), event(2, "Accepted", operation="a"),
             event(3, "Failed", operation="a")],
            "rob@contoso.com (write)",
        ),
        # Reading secrets changes nothing, stopping does.
        ([event(1, action="Microsoft.X/y/listKeys/action")], "None"),
        ([event(1, action="Microsoft.X/y/stop/action")], "application other (stop)"),
        # A policy's look at the resource is recorded with it.
        ([event(1, category={"value": "Policy"})], "None"),
        ([event(1), event(2, claims={"appid": "own"})], "nobody since this identity"),
    ],
)  # fmt: skip
def test_the_last_write_told(events, told):
    """By a person or an application, ended or not; never a failure or a read."""
    assert str(activity_log.find_last(events, "own")).startswith(told)


def test_a_resource_is_in_its_parents_and_its_group():
    """A namespace is nothing that can be written, also in the middle of an id."""
    group = "/subscriptions/s/resourceGroups/g"
    scope = f"{group}/providers/Microsoft.X/a/1"
    id_ = f"{scope}/b/2/providers/Microsoft.Authorization/locks/l"
    assert list(activity_log._list_parents(id_)) == [f"{scope}/b/2", scope, group]
