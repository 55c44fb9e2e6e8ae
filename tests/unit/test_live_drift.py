"""What a live object is that its manifest does not say, what was added to it, and by whom."""

import pytest

from azrunbook import live_drift


def deployment(*, containers=None, managed=(), metadata=None, **spec):
    app = {"name": "app", "image": "app:1", "env": [{"name": "A", "value": "1"}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", **(metadata or {}), "managedFields": list(managed)},
        "spec": {"template": {"spec": {"containers": containers or [app]}}, **spec},
    }


def entry(manager, fields, *, time="2026-11-26T10:00:00Z", **rest):
    return {"manager": manager, "time": time, "fieldsV1": fields, **rest}


def in_pod(fields):
    return {"f:spec": {"f:template": {"f:spec": fields}}}


def in_app(fields):
    return in_pod({"f:containers": {'k:{"name":"app"}': fields}})


@pytest.mark.parametrize(
    ("stated", "actual", "found"),
    [
        ({"replicas": 2}, {"replicas": 3}, [("replicas", 2, 3)]),
        ({"replicas": 2}, {}, [("replicas", 2, None)]),
        ({"replicas": 2}, {"replicas": 2, "paused": True}, []),
        # Written in another form, left out because empty, or filled in by the server.
        ({"limits": {"cpu": "1000m"}}, {"limits": {"cpu": "1"}}, []),
        ({"limits": {"cpu": "1000m"}}, {"limits": {"cpu": "2"}}, [("limits.cpu", "1000m", "2")]),
        ({"limits": {"cpu": "much"}}, {"limits": {"cpu": "1"}}, [("limits.cpu", "much", "1")]),
        ({"image": "1000m"}, {"image": "1"}, [("image", "1000m", "1")]),
        ({"nodeSelector": {}, "command": []}, {}, []),
        ({"clusterIP": ""}, {"clusterIP": "10.0.0.7"}, []),
        ({"clusterIP": "None"}, {"clusterIP": "10.0.0.7"}, [("clusterIP", "None", "10.0.0.7")]),
        ({"status": {"a": 1}, "x": None}, {"status": {"a": 2}, "x": 3}, []),
        # Lists by key in any order; of values in their order.
        (
            {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
            {"env": [{"name": "B", "value": "2"}, {"name": "A", "value": "0"}]},
            [("env[A].value", "1", "0")],
        ),
        ({"ports": [{"port": 80}]}, {"ports": []}, [("ports[80]", {"port": 80}, None)]),
        ({"args": ["a", "b"]}, {"args": ["b", "a"]}, [("args", ["a", "b"], ["b", "a"])]),
        ({"args": ["a"]}, {"args": ["a", "b"]}, [("args", ["a"], ["a", "b"])]),
        ({"spec": {"a": 1}}, {"spec": "none"}, [("spec", {"a": 1}, "none")]),
    ],
)
def test_only_what_is_stated_is_compared(stated, actual, found):
    """By value, key and meaning, not by how the server writes it."""
    differences = live_drift.compare(stated, actual)
    assert [(one.path, one.declared, one.actual) for one in differences] == found


def test_a_secret_says_that_it_differs_and_not_what_it_holds():
    """Text and data are the same thing; neither value is shown."""
    declared = {"kind": "Secret", "stringData": {"a": "x", "b": "y"}, "data": {"c": "eg=="}}
    live = {"kind": "Secret", "data": {"a": "eA==", "b": "b3RoZXI="}}
    found = live_drift.compare(declared, live)
    assert {(one.path, one.declared, one.actual) for one in found} == {
        ("data.b", "(hidden)", "(hidden, another value)"), ("data.c", "(hidden)", None),
    }  # fmt: skip


IMAGE = ("spec", "template", "spec", "containers", {"name": "app"}, "image")


@pytest.mark.parametrize(
    ("managed", "author"),
    [
        ([], None),
        ([entry("helm", in_app({"f:image": {}}))], "helm at 2026-11-26T10:00:00Z"),
        ([entry("a", in_app({"f:env": {}})), entry("b", in_pod({"f:volumes": {}}))], None),
        # The last of several; one that owns the whole list, atomic, owns what is in it.
        (
            [entry("new", in_app({"f:image": {}}), time="2"),
             entry("old", in_app({"f:image": {}}), time="1")],
            "new at 2",
        ),
        ([entry("whole", in_pod({"f:containers": {}}), time="")], "whole"),
    ],
)  # fmt: skip
def test_the_author_of_a_field_is_its_last_manager(managed, author):
    """As metadata.managedFields tells; nobody owns what nobody set."""
    found = live_drift.find_author(deployment(managed=managed), IMAGE)
    assert (str(found) if found else None) == author


SIDE = {"name": "side", "image": "side:1"}
ENV = {"name": "app", "image": "app:1", "env": [{"name": "A"}, {"name": "B", "value": "2"}]}
POD = "spec.template.spec"
B_ADDED = in_app({"f:env": {'k:{"name":"B"}': {".": {}, "f:name": {}, "f:value": {}}}})


@pytest.mark.parametrize(
    ("live", "found"),
    [
        (deployment(), []),
        (deployment(containers=[ENV], managed=[entry("kubectl-set", B_ADDED)]),
         [(f"{POD}.containers[app].env[B]", {"name": "B", "value": "2"})]),
        # Added, and taken back again; added by the release itself or by a controller.
        (deployment(managed=[entry("kubectl-set", B_ADDED)]), []),
        (deployment(containers=[ENV], managed=[entry("Helm", B_ADDED)]), []),
        (deployment(containers=[ENV], managed=[entry("kube-controller-manager", B_ADDED)]), []),
        (deployment(containers=[ENV], managed=[entry("injector-operator", B_ADDED)]), []),
        (deployment(containers=[ENV], managed=[entry("x", B_ADDED, subresource="status")]), []),
        # A whole container is one addition; a field of one that is stated another.
        (deployment(
            containers=[ENV, SIDE],
            managed=[entry("mesh", in_pod({"f:containers": {'k:{"name":"side"}': {"f:tty": {}}}}))],
        ), [(f"{POD}.containers[side]", SIDE)]),
        (deployment(containers=[{**ENV, "tty": True}], managed=[entry("x", in_app({"f:tty": {}}))]),
         [(f"{POD}.containers[app].tty", True)]),
        # What is stated is another matter, whoever owns it by now.
        (deployment(managed=[entry("kubectl", in_app({"f:image": {}}))]), []),
        (deployment(paused=True, managed=[entry("kubectl", {"f:spec": {"f:paused": {}}})]),
         [("spec.paused", True)]),
        # Labels and annotations one by one, but for kubectl's notes and what controllers hold.
        (deployment(
            metadata={
                "annotations": {"note": "mine", "kubectl.kubernetes.io/restartedAt": "now"},
                "finalizers": ["wait"],
            },
            managed=[entry("edit", {"f:metadata": {
                "f:annotations": {".": {}, "f:note": {}, "f:kubectl.kubernetes.io/restartedAt": {}},
                "f:finalizers": {".": {}, 'v:"wait"': {}},
            }})],
        ), [("metadata.annotations.note", "mine")]),
    ],
)  # fmt: skip
def test_what_somebody_added_is_what_he_owns_and_nobody_states(live, found):
    """Fields and list items, each once, at the place where it begins."""
    additions = live_drift.list_additions(deployment(), live)
    assert [(one.path, one.value) for one in additions] == found


def test_the_default_of_a_key_that_a_manifest_leaves_out_is_no_other_item():
    """A port is known by its number and protocol, and manifests name the number only."""
    owned = {"f:spec": {"f:ports": {'k:{"port":80,"protocol":"TCP"}': {"f:targetPort": {}}}}}
    port = {"port": 80, "protocol": "TCP", "targetPort": 8080}
    live = {"metadata": {"managedFields": [entry("kubectl", owned)]}, "spec": {"ports": [port]}}
    assert live_drift.list_additions({"spec": {"ports": [{**port, "protocol": "TCP"}]}}, live) == ()
    (one,) = live_drift.list_additions({"spec": {"ports": [{"port": 80}]}}, live)
    assert one.steps == ("spec", "ports", {"port": 80, "protocol": "TCP"}, "targetPort")


def test_what_was_added_to_a_secret_is_not_shown():
    """That there is something, where, and by whom."""
    owned = {"f:data": {".": {}, "f:extra": {}}}
    live = {"kind": "Secret", "metadata": {"managedFields": [entry("x", owned)]},
            "data": {"extra": "c2VjcmV0"}}  # fmt: skip
    (one,) = live_drift.list_additions({"kind": "Secret"}, live)
    assert (one.path, one.value, str(one.author)[:1]) == ("data.extra", "(hidden)", "x")


@pytest.mark.parametrize(
    ("metadata", "who"),
    [
        ({"managedFields": [entry("kubectl", {}, time="2"), entry("edit", {}, time="1")]}, "edit"),
        ({"managedFields": [entry("helm", {})]}, None),
        ({"managedFields": [entry("kubelet", {}), entry("x", {}, subresource="status")]}, None),
        ({"managedFields": [entry("kubectl", {})], "ownerReferences": [{"kind": "X"}]}, None),
        ({}, None),
    ],
)
def test_a_stranger_is_who_made_what_nobody_declares(metadata, who):
    """Not a release, not a controller, not for an object that belongs to another one."""
    found = live_drift.find_stranger({"metadata": metadata})
    assert (found.manager if found else None) == who


def test_a_variable_that_is_named_like_a_secret_is_not_shown():
    """Who sets a password by hand shall not find it in a report."""
    env = {"name": "API_PASSWORD", "value": "planted"}
    key = 'k:{"name":"API_PASSWORD"}'
    owned = in_app({"f:env": {key: {"f:name": {}, "f:value": {}}}})
    live = deployment(containers=[{**ENV, "env": [env]}], managed=[entry("kubectl-set", owned)])
    (one,) = live_drift.list_additions(deployment(), live)
    assert one.value == live_drift.HIDDEN
