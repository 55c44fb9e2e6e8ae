"""Defaults and validation as tables: what is filled in, what is said about a wrong field."""

import pytest

from azrunbook.sandbox.kube import errors, registry
from azrunbook.sandbox.kube.resources import ResourceTable
from azrunbook.sandbox.kube.store import Store

POD = {"containers": [{"name": "c", "image": "i:1"}]}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": POD}
SELECTED = {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}
RULES = {"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {}}]}}


@pytest.fixture
def cluster():
    found = registry.Registry(ResourceTable(), Store())
    found.create(found.resources.get("", "namespaces"), None, {"metadata": {"name": "n"}})
    return found


def create(cluster, group, plural, name="x", **parts):
    resource = cluster.resources.get(group, plural)
    namespace = "n" if resource.namespaced else None
    return cluster.create(resource, namespace, {"metadata": {"name": name}, **parts})


@pytest.mark.parametrize(
    ("group", "plural", "parts", "said"),
    [
        (
            "apps",
            "statefulsets",
            {"spec": {**SELECTED, "podManagementPolicy": "Odd"}},
            "spec.podManagementPolicy: Invalid value: \"Odd\": must be 'OrderedReady' or",
        ),
        (
            "apps",
            "daemonsets",
            {"spec": {"selector": {}, "template": TEMPLATE}},
            "spec.selector: Invalid value: {}: empty selector is invalid for daemonset",
        ),
        (
            "batch",
            "jobs",
            {"spec": {"template": {"spec": POD}}},
            'restartPolicy: Required value: valid values: "OnFailure", "Never"',
        ),
        (
            "batch",
            "cronjobs",
            {"spec": {"schedule": "x", "jobTemplate": {"spec": {"template": {"spec": POD}}}}},
            'spec.schedule: Invalid value: "x": expected exactly 5 fields, found 1: [x]',
        ),
        (
            "",
            "configmaps",
            {"data": {"a b": "1"}},
            'data[a b]: Invalid value: "a b": a valid config key must consist of',
        ),
        (
            "",
            "secrets",
            {"type": "kubernetes.io/tls", "data": {"tls.crt": "YQ=="}},
            "data[tls.key]: Required value",
        ),
        (
            "networking.k8s.io",
            "ingresses",
            {"spec": {"rules": [RULES]}},
            "spec.rules[0].http.paths[0].backend: Required value: resource or service backend",
        ),
        (
            "rbac.authorization.k8s.io",
            "roles",
            {"rules": [{"verbs": [], "resources": ["pods"], "apiGroups": [""]}]},
            "rules[0].verbs: Required value: verbs must contain at least one value",
        ),
        (
            "",
            "persistentvolumeclaims",
            {"spec": {"accessModes": ["ReadWriteOnce"]}},
            "spec.resources[storage]: Required value",
        ),
        (
            "",
            "pods",
            {"spec": {"containers": [{"name": "c", "image": "i", "livenessProbe": {}}]}},
            "spec.containers[0].livenessProbe: Required value: must specify a handler type",
        ),
        (
            "",
            "pods",
            {
                "spec": {
                    "containers": [
                        {
                            "name": "c",
                            "image": "i",
                            "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "500m"}},
                        }
                    ]
                }
            },
            "must be less than or equal to cpu limit of 500m",
        ),
    ],
)
def test_a_wrong_field_is_named_in_the_words_of_the_real_server(
    cluster, group, plural, parts, said
):
    """422, the field, what is wrong with it."""
    with pytest.raises(errors.StatusError) as raised:
        create(cluster, group, plural, **parts)
    assert raised.value.code == 422
    assert said in raised.value.message


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("i", "Always"),
        ("i:latest", "Always"),
        ("i:1", "IfNotPresent"),
        ("host:5000/i", "Always"),
        ("host:5000/i:1", "IfNotPresent"),
        ("i@sha256:00", "IfNotPresent"),
        ("i:latest@sha256:00", "Always"),
    ],
)
def test_pull_policy_follows_the_tag(cluster, image, policy):
    """Latest, said or meant, is always pulled."""
    pod = create(cluster, "", "pods", spec={"containers": [{"name": "c", "image": image}]})
    assert pod["spec"]["containers"][0]["imagePullPolicy"] == policy


@pytest.mark.parametrize(
    ("resources", "quality"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ({"limits": {"cpu": "1000m"}, "requests": {"cpu": "1"}}, "Burstable"),
    ],
)
def test_quality_of_service_follows_requests_and_limits(cluster, resources, quality):
    """As the kubelet evicts by it."""
    container = {"name": "c", "image": "i", "resources": resources}
    pod = create(cluster, "", "pods", spec={"containers": [container]})
    assert pod["status"]["qosClass"] == quality


def test_services_get_addresses_of_their_own(cluster):
    """And an address that is taken is refused."""
    ports = [{"port": 80}]
    first = create(cluster, "", "services", "a", spec={"ports": ports})
    address = first["spec"]["clusterIP"]
    second = create(cluster, "", "services", "b", spec={"ports": ports})
    assert second["spec"]["clusterIP"] != address
    with pytest.raises(errors.StatusError, match="provided IP is already allocated"):
        create(cluster, "", "services", "c", spec={"ports": ports, "clusterIP": address})


def test_quota_refuses_what_does_not_fit(cluster):
    """Counted from what the namespace holds."""
    create(cluster, "", "resourcequotas", "q", spec={"hard": {"configmaps": "1"}})
    create(cluster, "", "configmaps", "a")
    with pytest.raises(errors.StatusError, match="exceeded quota: q, requested: configmaps=1"):
        create(cluster, "", "configmaps", "b")


def test_limit_range_fills_in_requests(cluster):
    """Of containers that say nothing."""
    limits = [{"type": "Container", "default": {"cpu": "1"}, "defaultRequest": {"cpu": "100m"}}]
    create(cluster, "", "limitranges", "l", spec={"limits": limits})
    pod = create(cluster, "", "pods", spec=POD)
    found = pod["spec"]["containers"][0]["resources"]
    assert found == {"limits": {"cpu": "1"}, "requests": {"cpu": "100m"}}


def test_autoscaler_is_one_object_in_two_versions(cluster):
    """Written as v1, read as v2."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
    old = cluster.resources.get("autoscaling", "horizontalpodautoscalers", "v1")
    new = cluster.resources.get("autoscaling", "horizontalpodautoscalers", "v2")
    spec = {"scaleTargetRef": target, "maxReplicas": 3, "targetCPUUtilizationPercentage": 60}
    cluster.create(old, "n", {"metadata": {"name": "h"}, "spec": spec})
    metric = cluster.get(new, "n", "h")["spec"]["metrics"][0]
    assert metric["resource"]["target"] == {"type": "Utilization", "averageUtilization": 60}


def test_events_are_one_object_in_two_groups(cluster):
    """Core v1 and events.k8s.io/v1 are the same storage."""
    involved = {"kind": "Pod", "name": "p", "namespace": "n"}
    create(cluster, "", "events", "e", involvedObject=involved, message="m")
    seen = cluster.get(cluster.resources.get("events.k8s.io", "events"), "n", "e")
    assert (seen["apiVersion"], seen["note"], seen["regarding"]) == (
        "events.k8s.io/v1",
        "m",
        involved,
    )
