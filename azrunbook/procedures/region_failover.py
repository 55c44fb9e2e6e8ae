"""Procedure 06: take a region away, move its data, and measure how long users notice.

The outage is the real thing at the scale of a region: the cluster is stopped through ARM, nobody
tells the edge. What is measured stands beside what the origin group's settings predict: an origin
is out after n - x + 1 failed probes of which x of the last n have to succeed.

The data goes first, so that a promotion which is refused leaves users where they were.
"""

from azrunbook import checks, connect, errors, plan as plans, writes
from azrunbook.procedures import data_drill, data_roles, data_steps, drills, regions

Facts = regions.Facts
observe = regions.observe
_STEP_TIMEOUT_SECONDS = 900


def preflight(
    clients: connect.Clients, *, region: str, promote: writes.Promote = "planned"
) -> list[checks.CheckResult]:
    """Both regions can serve, so that taking one away leaves one, and its data can be moved."""
    facts = observe(clients, region=region)
    return [
        *(regions.check_serving(one) for one in (facts.target, *facts.others)),
        checks.CheckResult(
            name="another region",
            passed=bool(facts.others),
            criterion="the estate has a second region to serve",
            found=", ".join(one.location for one in facts.others) or "none",
            advice="set secondary_enabled: true and run 01, 02 and 03",
        ),
        *_check_data(facts, promote),
    ]


def _check_data(facts: Facts, promote: writes.Promote) -> list[checks.CheckResult]:
    data = facts.data
    if data is None or promote == "none" or data.writer != facts.target.location:
        return []
    limit = facts.objectives.recovery_point_seconds
    return [
        *(
            found
            for one in facts.others
            for found in data_roles.check_replica(data, one.location, limit)
        ),
        *data_roles.check_linked(data),
    ]


def plan(facts: Facts, *, promote: writes.Promote = "planned") -> plans.Plan:
    """Move the data, then stop the region's cluster, unless no other could serve; pure.

    Raises:
        PlanError: no other region is healthy.
    """
    target, prediction = facts.target, facts.prediction
    if not any(one.is_serving for one in facts.others):
        seen = ", ".join(f"{one.location}: {one.power}" for one in facts.others) or "there is none"
        raise errors.PlanError(
            f"region '{target.location}' cannot be failed over: no other region can serve "
            f"({seen}). Restore one first: azrunbook run 07_fail_back_region"
        )
    changes, steps, notes = data_steps.plan_promotion(
        facts.data, target.location, facts.others[0].location, promote
    )
    change, step = regions.plan_power(target, "Stopped")
    impact = (
        f"Requests to {target.location} fail until the edge has noticed: predicted "
        f"{prediction.detect_min_seconds:g} to {prediction.detect_max_seconds:g} s."
    )
    return plans.Plan(
        title=f"Fail over {target.location}",
        changes=(*changes, change),
        steps=(*steps, step),
        notes=(
            impact,
            f"The objective is {facts.objectives.recovery_time_seconds} s.",
            *notes,
        ),
    )


def verify(
    clients: connect.Clients,
    observation: drills.Observation,
    written: data_drill.Observation,
    *,
    facts: Facts,
) -> list[checks.CheckResult]:
    """Users are served by the other region, in time, without failures afterwards; data as well."""
    now = observe(clients, region=facts.target.role)
    objectives, prediction = facts.objectives, facts.prediction
    limit = prediction.detect_max_seconds + facts.probe_interval_seconds
    return [
        *(regions.check_serving(one) for one in now.others),
        observation.check_served_by({one.location for one in now.others}),
        observation.check_recovery(objectives.recovery_time_seconds, "the objective"),
        observation.check_recovery(limit, "the prediction plus one probe interval"),
        observation.check_steady(objectives.steady_availability_percent),
        *regions.check_data(now, {one.location for one in now.others}, written.promote),
        *written.list_checks(objectives),
    ]
