"""Procedure 07: bring a stopped region back, and traffic with it, without a failed request.

The cluster is started, its nodes and the application are waited for, and the edge finds out by
itself: an origin counts as healthy again after x good probes of the last n.
"""

from dataclasses import replace

from azrunbook import checks, connect, plan as plans
from azrunbook.procedures import drills, regions

Facts = regions.Facts
observe = regions.observe
# An operation that failed has ended too: starting again is what mends it.
_SETTLED = ("Succeeded", "Failed", "Canceled")


def preflight(clients: connect.Clients, *, region: str) -> list[checks.CheckResult]:
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
    ]


def plan(facts: Facts) -> plans.Plan:
    """Start the region's cluster if it is stopped; pure."""
    target, prediction = facts.target, facts.prediction
    change, step = regions.plan_power(target, "Running")
    # A running cluster whose application is not ready yet is started, too: it is waited for.
    is_needed = not target.is_serving
    note = (
        f"The edge sends traffic back {prediction.restore_min_seconds:g} to "
        f"{prediction.restore_max_seconds:g} s after the region answers its probes."
    )
    return plans.Plan(
        title=f"Fail back {target.location}",
        changes=(replace(change, action="update") if is_needed else change,),
        steps=(step,) if is_needed else (),
        notes=(note,),
    )


def verify(
    clients: connect.Clients, observation: drills.Observation, *, facts: Facts
) -> list[checks.CheckResult]:
    """Not one request failed, and the preferred region serves again."""
    now = observe(clients, region=facts.target.role)
    return [
        *(regions.check_serving(one) for one in (now.target, *now.others)),
        observation.check_served_by({now.preferred.location}),
        observation.check_availability(100.0),
    ]
