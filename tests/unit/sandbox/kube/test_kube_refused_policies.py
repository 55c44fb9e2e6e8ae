"""What is said about wrong scalers, quotas, limits, roles, volumes and network policies."""

import pytest

REFERENCE = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
CLAIM = {
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
RBAC = "rbac.authorization.k8s.io"


def scaler(**parts):
    return {"spec": {"scaleTargetRef": REFERENCE, "maxReplicas": 3, **parts}}


def limit(**parts):
    return {"spec": {"limits": [{"type": "Container", **parts}]}}


def binding(**role):
    return {"roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "r", **role}}


def policy(**rule):
    return {"spec": {"podSelector": {}, "ingress": [rule]}}


@pytest.mark.parametrize(
    ("storage", "body", "said"),
    [
        (
            "horizontalpodautoscalers.autoscaling",
            scaler(maxReplicas=0),
            [
                "spec.maxReplicas: Required value: must be set and greater than 0",
                (
                    "spec.maxReplicas: Invalid value: 0: must be greater than or equal to "
                    "`minReplicas`"
                ),
            ],
        ),
        (
            "horizontalpodautoscalers.autoscaling",
            scaler(metrics=[{"type": "Resource", "resource": {"name": "cpu", "target": {}}}]),
            [
                (
                    "spec.metrics[0].resource.target.type: Required value: "
                    "must specify a metric target type"
                ),
                (
                    'spec.metrics[0].resource.target.type: Unsupported value: "": supported '
                    'values: "AverageValue", "Utilization", "Value"'
                ),
                (
                    "spec.metrics[0].resource.target.averageUtilization: Required value: "
                    "must set either a target raw value or a target utilization"
                ),
            ],
        ),
        (
            "resourcequotas",
            {"spec": {"hard": {"pods": "-1", "odd": "1"}}},
            [
                (
                    'spec.hard[odd]: Invalid value: "odd": must be a standard resource type or '
                    "fully qualified"
                ),
                'spec.hard[odd]: Invalid value: "odd": must be a standard resource for quota',
                'spec.hard[pods]: Invalid value: "-1": must be greater than or equal to 0',
            ],
        ),
        (
            "limitranges",
            limit(min={"cpu": "2"}, max={"cpu": "1"}, default={"cpu": "1"}),
            [
                (
                    'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max '
                    "value 1"
                ),
                (
                    'spec.limits[0].defaultRequest[cpu]: Invalid value: "2": default request value '
                    "2 is greater than max value 1"
                ),
                (
                    'spec.limits[0].defaultRequest[cpu]: Invalid value: "2": default request value '
                    "2 is greater than default limit value 1"
                ),
                (
                    'spec.limits[0].default[cpu]: Invalid value: "2": min value 2 is greater than '
                    "default value 1"
                ),
            ],
        ),
        (
            f"rolebindings.{RBAC}",
            binding(kind="Odd"),
            ['roleRef.kind: Unsupported value: "Odd": supported values: "Role", "ClusterRole"'],
        ),
        (
            "persistentvolumes",
            {},
            [
                "spec.accessModes: Required value",
                "spec.capacity: Required value",
                'spec.capacity: Unsupported value: null: supported values: "storage"',
                "spec: Required value: must specify a volume type",
            ],
        ),
        (
            "networkpolicies.networking.k8s.io",
            policy(**{"from": [{}, {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/9"]}}]}),
            [
                "spec.ingress[0].from[0]: Required value: must specify a peer",
                (
                    'spec.ingress[0].from[1].ipBlock.except[0]: Invalid value: "11.0.0.0/9": '
                    "must be a strict subset of `cidr`"
                ),
            ],
        ),
        (
            "events",
            {"involvedObject": {"kind": "Pod", "namespace": "other"}},
            ['involvedObject.namespace: Invalid value: "other": does not match event.namespace'],
        ),
    ],
)
def test_wrong_object_is_refused_with_every_cause(refusals, storage, body, said):
    """In the words and the order of the real server."""
    assert refusals.of_create(storage, body) == said


def test_claim_that_changes_is_refused_with_the_difference(refusals):
    """As the lines of its internal form, with three lines around them."""
    (said,) = refusals.of_change("persistentvolumeclaims", CLAIM, {"spec": {"volumeMode": "Block"}})
    why, _, difference = said.partition("bound claims\n")
    assert why.startswith("spec: Forbidden: spec is immutable after creation except")
    assert '- "VolumeMode": "Filesystem",\n+ "VolumeMode": "Block",\n' in difference


def test_role_of_a_binding_never_changes(refusals):
    """Shown as the internal type is written."""
    said = refusals.of_change(f"rolebindings.{RBAC}", binding(), {"roleRef": {"name": "s"}})
    shown = f'{{"APIGroup":"{RBAC}","Kind":"Role","Name":"s"}}'
    assert said == [f"roleRef: Invalid value: {shown}: cannot change roleRef"]
