"""What is said about wrong pods and containers: the one cause of each."""

import pytest

WHERE = "spec.containers[0]"
TERMS = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
NUMBERS = "must be between 0 and 2147483647, inclusive"


def pod(spec=None, **container):
    return {"spec": {"containers": [{"name": "c", "image": "i:1", **container}], **(spec or {})}}


def variable(**source):
    return pod(env=[{"name": "A", "valueFrom": source}])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            variable(fieldRef={"fieldPath": "spec.odd"}),
            (
                f'{WHERE}.env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.odd": '
                "error converting fieldPath: field label not supported: spec.odd"
            ),
        ),
        (
            variable(configMapKeyRef={"name": "x"}),
            f"{WHERE}.env[0].valueFrom.configMapKeyRef.key: Required value",
        ),
        (
            pod(livenessProbe={"exec": {}}),
            f"{WHERE}.livenessProbe.exec.command: Required value",
        ),
        (
            pod(lifecycle={"preStop": {}}),
            f"{WHERE}.lifecycle.preStop: Required value: must specify a handler type",
        ),
        (
            pod(securityContext={"runAsUser": -1}),
            f"{WHERE}.securityContext.runAsUser: Invalid value: -1: {NUMBERS}",
        ),
        (
            pod(terminationMessagePolicy="Odd"),
            (
                f'{WHERE}.terminationMessagePolicy: Unsupported value: "Odd": supported values: '
                '"FallbackToLogsOnError", "File"'
            ),
        ),
        (
            pod({"securityContext": {"fsGroup": -1}}),
            f"spec.securityContext.fsGroup: Invalid value: -1: {NUMBERS}",
        ),
        (
            pod({"dnsPolicy": "None"}),
            "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None",
        ),
        (
            pod({"hostAliases": [{"ip": "odd"}]}),
            (
                'spec.hostAliases[0].ip: Invalid value: "odd": must be a valid IP address, '
                "(e.g. 10.9.8.7 or 2001:db8::ffff)"
            ),
        ),
        (
            pod({"volumes": [{"name": "v", "persistentVolumeClaim": {}}]}),
            "spec.volumes[0].persistentVolumeClaim.claimName: Required value",
        ),
        (
            pod(
                {
                    "affinity": {
                        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {}}
                    }
                }
            ),
            f"{TERMS}.nodeSelectorTerms: Required value: must have at least one node selector term",
        ),
        (
            pod({"hostNetwork": True}, ports=[{"containerPort": 80, "hostPort": 81}]),
            (
                f"{WHERE}.ports[0].containerPort: Invalid value: 80: "
                "must match `hostPort` when `hostNetwork` is true"
            ),
        ),
    ],
)
def test_wrong_pod_is_refused(refusals, body, said):
    """In the words of the real server."""
    assert refusals.of_create("pods", body) == [said]


def test_resource_of_no_standard_is_refused_twice(refusals):
    """Neither a resource at all nor one of containers."""
    place = f"{WHERE}.resources.requests[odd]"
    assert refusals.of_create("pods", pod(resources={"requests": {"odd": "1"}})) == [
        f'{place}: Invalid value: "odd": must be a standard resource type or fully qualified',
        f'{place}: Invalid value: "odd": must be a standard resource for containers',
    ]


@pytest.mark.parametrize(
    ("patch", "said"),
    [
        (
            {"spec": {"activeDeadlineSeconds": 20}},
            (
                "spec.activeDeadlineSeconds: Invalid value: 20: "
                "must be less than or equal to previous value"
            ),
        ),
        (
            {"spec": {"activeDeadlineSeconds": None}},
            (
                "spec.activeDeadlineSeconds: Invalid value: null: "
                "must not update from a positive integer to nil value"
            ),
        ),
        (
            {"spec": {"initContainers": [{"name": "i", "image": "i:1"}]}},
            "spec.initContainers: Forbidden: pod updates may not add or remove initContainers",
        ),
    ],
)
def test_pod_hardly_changes(refusals, patch, said):
    """A deadline only comes nearer, containers stay."""
    assert refusals.of_change("pods", pod({"activeDeadlineSeconds": 10}), patch) == [said]
