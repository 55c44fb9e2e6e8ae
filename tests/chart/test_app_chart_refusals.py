"""What the application's chart refuses: every `fail` of it, the nearest neighbours, the schema."""

import pytest


@pytest.mark.parametrize(
    ("expressions", "reason"),
    [
        (
            ["image.tag=latest"],
            (
                'image.tag is "latest": a release must say which version it is, or a rollback '
                "brings back the same image. Give a version, for example --set-string "
                "image.tag=1.0.1"
            ),
        ),
        (
            ["env.APP_VERSION=2.0.0"],
            (
                "env.APP_VERSION is set by the chart itself. Remove it from env and use the value "
                "made for it: image.tag, region, service.targetPort, shutdown, faults or "
                "data.secretName."
            ),
        ),
        (
            ["env.HOST=a"],
            (
                "env.HOST is set by the chart itself. Remove it from env and use the value "
                "made for it: image.tag, region, service.targetPort, shutdown, faults or "
                "data.secretName."
            ),
        ),
        (
            ["shutdown.graceSeconds=22"],
            (
                "shutdown.graceSeconds is 22, but preStopSeconds + drainSeconds + finishSeconds is "
                "22: the pod would be killed before it is done. Make graceSeconds at least 23."
            ),
        ),
        (
            ["autoscaling.enabled=true", "autoscaling.minReplicas=3", "autoscaling.maxReplicas=2"],
            (
                "autoscaling.maxReplicas is 2, less than autoscaling.minReplicas, 3. "
                "Raise maxReplicas or lower minReplicas."
            ),
        ),
        (
            ["autoscaling.enabled=true", "resources.requests.cpu=null"],
            (
                "autoscaling.enabled needs resources.requests.cpu: the target is a share of it. "
                "Set it, for example --set resources.requests.cpu=100m"
            ),
        ),
        (
            ["podDisruptionBudget.minAvailable=1"],
            (
                "podDisruptionBudget takes exactly one of minAvailable and maxUnavailable, found "
                "both. Set one of them to null, for example --set "
                "podDisruptionBudget.maxUnavailable=null"
            ),
        ),
        (
            ["podDisruptionBudget.maxUnavailable=null"],
            (
                "podDisruptionBudget takes exactly one of minAvailable and maxUnavailable, found "
                "neither. Set one of them, for example --set podDisruptionBudget.maxUnavailable=1"
            ),
        ),
    ],
)
def test_it_should_refuse_what_fails_later(refuse, expressions, reason):
    """A combination that renders and then fails in a cluster is refused, with what to do."""
    assert refuse(*expressions) == reason


@pytest.mark.parametrize(
    ("expressions", "subject"),
    [
        (["minAvailable=2", "maxUnavailable=null"], "minAvailable is 2 of 2 pods"),
        (["minAvailable=100%", "maxUnavailable=null"], "minAvailable is 100% of 2 pods"),
        (["minAvailable=51%", "maxUnavailable=null"], "minAvailable is 51% of 2 pods"),
        (["maxUnavailable=0"], "maxUnavailable is 0 of 2 pods"),
        (["maxUnavailable=0%"], "maxUnavailable is 0% of 2 pods"),
    ],
)
def test_it_should_refuse_a_budget_that_blocks_every_drain(refuse, expressions, subject):
    """A node whose pods may never be evicted cannot be drained or upgraded."""
    assert refuse(*(f"podDisruptionBudget.{one}" for one in expressions)) == (
        f"podDisruptionBudget.{subject}: none could ever be evicted, so no node could be drained "
        "or upgraded. Leave at least one pod to go, for example maxUnavailable: 1"
    )


@pytest.mark.parametrize(
    "expressions",
    [
        ["shutdown.graceSeconds=23"],
        ["autoscaling.maxReplicas=1"],
        ["resources.requests.cpu=null"],
        ["autoscaling.enabled=true", "autoscaling.minReplicas=2", "autoscaling.maxReplicas=2"],
        ["podDisruptionBudget.enabled=false", "podDisruptionBudget.maxUnavailable=0"],
        ["replicaCount=1", "podDisruptionBudget.maxUnavailable=0"],
        [
            "autoscaling.enabled=true",
            "autoscaling.minReplicas=3",
            "podDisruptionBudget.minAvailable=2",
            "podDisruptionBudget.maxUnavailable=null",
        ],
    ],
)
def test_it_should_not_refuse_what_works(render, expressions):
    """The nearest neighbours of the refused combinations render."""
    assert "Deployment" in render(*expressions)


@pytest.mark.parametrize(
    ("expression", "key"),
    [
        ("replicas=3", "replicas"),
        ("image.version=1", "version"),
        ("shutdown.sleep=1", "sleep"),
        ("livenessProbe.exec=x", "exec"),
        ("replicaCount=two", "replicaCount"),
        ("replicaCount=-1", "replicaCount"),
        ("env.RETRIES=5", "RETRIES"),
        ("region=", "region"),
        ("faults.errorPercent=101", "errorPercent"),
        ("faults.errorPercent=100.5", "errorPercent"),
        ("faults.delaySeconds=long", "delaySeconds"),
        ("service.targetPort=80", "targetPort"),
        ("ingress.hosts={Not A Host}", "hosts"),
        ("podDisruptionBudget.maxUnavailable=half", "maxUnavailable"),
        ("image.tag=a b", "tag"),
        ("image.digest=sha256:abc", "digest"),
    ],
)
def test_it_should_refuse_unknown_and_wrong_values(refuse, expression, key):
    """The schema names the key, before anything is rendered."""
    reason = refuse(expression)
    assert "schema" in reason
    assert key in reason
