"""Procedure 07: bring a stopped region back, and traffic with it, without a failed request.

The cluster is started, its nodes and the application are waited for, and the edge finds out by
itself: an origin counts as healthy again after x good probes of the last n. The estate's primary
region gets the data back first: its server follows the one that took over, and when it has
everything the two change roles again, which loses nothing.
"""

from dataclasses import replace

from azrunbook import checks, connect, plan as plans, writes
from azrunbook.procedures import data_drill, data_roles, data_steps, drills, regions

Facts = regions.Facts
observe = regions.observe
# An operation that failed has ended too: starting again is what mends it.
_SETTLED = ("Succeeded", "Failed", "Canceled")


def preflight(
    clients: connect.Clients, *, region: str, promote: writes.Promote = "planned"
) -> list[checks.CheckResult]:
    """The other region serves, and nothing is in progress on this one's cluster."""
    facts = observe(clients, region=region)
    target = facts.target
    return [
        *(regions.check_serving(one) for one in facts.others),
        checks.CheckResult(
            name=f"{target.location} is settled",
            passed=target.provisioning in _SETTLED,
            criterion="no operation in progress on the cluster",
            found=f"{target.provisioning}, {target.power}",
            advice="wait for the operation to end and run this notebook again",
        ),
        *(
            [data_roles.check_is_replica(facts.data, target.location)]
            if facts.data and _choose(facts, promote) != "none"
            else []
        ),
    ]


def _choose(facts: Facts, promote: writes.Promote) -> writes.Promote:
    """The data's home is the estate's primary region; another one comes back without it."""
    return promote if facts.target.role == "primary" else "none"


def plan(facts: Facts, *, promote: writes.Promote = "planned") -> plans.Plan:
    """Return the data, then start the region's cluster if it is stopped; pure."""
    target, prediction = facts.target, facts.prediction
    changes, steps, notes = data_steps.plan_return(
        facts.data, target.location, _choose(facts, promote)
    )
    change, step = regions.plan_power(target, "Running")
    # A running cluster whose application is not ready yet is started, too: it is waited for.
    is_needed = not target.is_serving
    note = (
        f"The edge sends traffic back {prediction.restore_min_seconds:g} to "
        f"{prediction.restore_max_seconds:g} s after the region answers its probes."
    )
    return plans.Plan(
        title=f"Fail back {target.location}",
        changes=(*changes, replace(change, action="update") if is_needed else change),
        steps=(*steps, step) if is_needed else tuple(steps),
        notes=(note, *notes),
    )


def verify(
    clients: connect.Clients,
    observation: drills.Observation,
    written: data_drill.Observation,
    *,
    facts: Facts,
) -> list[checks.CheckResult]:
    """Not one request failed, the preferred region serves again, and no write was lost."""
    now = observe(clients, region=facts.target.role)
    return [
        *(regions.check_serving(one) for one in (now.target, *now.others)),
        observation.check_served_by({now.preferred.location}),
        observation.check_availability(100.0),
        *regions.check_data(now, {now.target.location}, written.promote),
        *written.list_checks(now.objectives),
    ]
