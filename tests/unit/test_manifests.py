"""What differs between two sets of rendered objects."""

import pytest

from azrunbook import manifests


def config_map(**data):
    return {"kind": "ConfigMap", "metadata": {"name": "settings"}, "data": data}


def secret(**data):
    return {"kind": "Secret", "metadata": {"name": "login"}, "data": data}


def workload(*containers):
    spec = {"containers": [{"name": name, "image": image} for name, image in containers]}
    return {"kind": "Pod", "metadata": {"name": "web", "namespace": "other"}, "spec": spec}


def scaled(replicas, *, by="web"):
    """A Deployment with so many replicas, and an autoscaler of one of that name."""
    target = {"kind": "Deployment", "name": by}
    return [
        {"kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": replicas}},
        {"kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
         "spec": {"scaleTargetRef": target}},
    ]  # fmt: skip


CASES = {
    "replicas of an autoscaler's target": (scaled(None), scaled(5), []),
    "replicas of another's": (
        scaled(2, by="other"),
        scaled(5, by="other"),
        [("Deployment shop/web spec replicas", 2, 5)],
    ),
    "the same": ([config_map(a="1")], [config_map(a="1")], []),
    "another value": (
        [config_map(a="1")],
        [config_map(a="2")],
        [("ConfigMap shop/settings data a", "1", "2")],
    ),
    "a key comes and one goes": (
        [config_map(a="1")],
        [config_map(b="2")],
        [
            ("ConfigMap shop/settings data a", "1", None),
            ("ConfigMap shop/settings data b", None, "2"),
        ],
    ),
    "containers by name, in their own namespace": (
        [workload(("web", "web:1"), ("log", "log:1"))],
        [workload(("log", "log:1"), ("web", "web:2"))],
        [("Pod other/web spec containers[web] image", "web:1", "web:2")],
    ),
    "a secret shows only that it changed": (
        [secret(old="eA==", same="eQ==", more="eg==")],
        [secret(old="dw==", same="eQ==", new="dg==")],
        [
            ("Secret shop/login data more", "(hidden)", None),
            ("Secret shop/login data new", None, "(hidden, another value)"),
            ("Secret shop/login data old", "(hidden)", "(hidden, another value)"),
        ],
    ),
}


@pytest.mark.parametrize(("before", "after", "expected"), CASES.values(), ids=CASES.keys())
def test_objects_are_compared_property_by_property(before, after, expected):
    """Each case of the table gives exactly its changes."""
    changes = manifests.compare(before, after, namespace="shop")
    assert [(one.path, one.before, one.after) for one in changes] == expected


def test_an_object_that_comes_or_goes_is_one_change_told_by_its_digest():
    """The digest binds an approval to the content without showing it."""
    (coming,) = manifests.compare([], [secret(a="eA==")], namespace="shop")
    (other,) = manifests.compare([], [secret(a="eQ==")], namespace="shop")
    (going,) = manifests.compare([secret(a="eA==")], [], namespace="shop")
    assert (coming.path, coming.before) == ("Secret shop/login", None)
    assert coming.after == going.before != other.after
    assert "eA==" not in coming.after


def test_empty_documents_are_passed_over():
    """A template that renders to nothing leaves an empty document behind."""
    text = "---\n# nothing\n---\nkind: A\nmetadata: {name: a}\n---\n"
    assert [one["kind"] for one in manifests.read(text)] == ["A"]
