"""The rest of what people type: kubectl's commands, each as far as it goes without controllers."""

import subprocess
import threading

import pytest
import yaml

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "nginx:1"}]}
"""
CHANGED = DEPLOYMENT.replace("nginx:1", "nginx:2")
IMAGE = "jsonpath={.spec.template.spec.containers[0].image}"


def config_map(name, **labels):
    head = {"apiVersion": "v1", "kind": "ConfigMap"}
    return yaml.dump({**head, "metadata": {"name": name, "labels": labels}})


@pytest.fixture
def deployment(kubectl, ns):
    kubectl("apply", "-n", ns, "-f", "-", text=DEPLOYMENT)
    return "deploy/web"


def test_diff_shows_what_apply_would_change(kubectl, ns, deployment):
    """Nothing for the same, the line for another image; nothing is changed."""
    kubectl("diff", "-n", ns, "-f", "-", text=DEPLOYMENT)
    shown = kubectl("diff", "-n", ns, "-f", "-", text=CHANGED, code=1)
    assert "-      - image: nginx:1" in shown
    assert "+      - image: nginx:2" in shown
    assert kubectl("get", deployment, "-n", ns, "-o", IMAGE) == "nginx:1"


def test_server_side_apply_conflicts_until_it_is_forced(kubectl, ns):
    """The message names the manager and the field."""
    apply = ("apply", "-n", ns, "--server-side", "-f", "-")
    kubectl(*apply, text=DEPLOYMENT)
    said = kubectl(*apply, "--field-manager=other", text=CHANGED, code=1)
    assert 'conflict with "kubectl": .spec.template.spec.containers[name="c"].image' in said
    kubectl(*apply, "--field-manager=other", "--force-conflicts", text=CHANGED)
    assert kubectl("get", "deploy/web", "-n", ns, "-o", IMAGE) == "nginx:2"


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        ("json", '[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"p"}]'),
        (
            "merge",
            '{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"p"}]}}}}',
        ),
        (
            "strategic",
            '{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"p"}]}}}}',
        ),
    ],
)
def test_patch_of_each_type(kubectl, ns, deployment, kind, patch):
    """And a second time there is no change."""
    kubectl("patch", deployment, "-n", ns, "--type", kind, "-p", patch)
    assert kubectl("get", deployment, "-n", ns, "-o", IMAGE) == "p"
    assert "no change" in kubectl("patch", deployment, "-n", ns, "--type", kind, "-p", patch)


def test_replace_by_update_and_by_force(kubectl, ns, deployment):
    """The second is another object."""
    before = kubectl("get", deployment, "-n", ns, "-o", "jsonpath={.metadata.uid}")
    kubectl("replace", "-n", ns, "-f", "-", text=CHANGED)
    assert kubectl("get", deployment, "-n", ns, "-o", IMAGE) == "nginx:2"
    assert kubectl("get", deployment, "-n", ns, "-o", "jsonpath={.metadata.uid}") == before
    kubectl("replace", "-n", ns, "--force", "-f", "-", text=DEPLOYMENT)
    assert kubectl("get", deployment, "-n", ns, "-o", "jsonpath={.metadata.uid}") != before


def test_edit_saves_what_the_editor_wrote(kubectl, ns, deployment, tmp_path):
    """And refuses what is not valid."""
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i "s/nginx:1/nginx:5/" "$1"\n')
    editor.chmod(0o755)
    kubectl("edit", deployment, "-n", ns, EDITOR=str(editor), PATH="/usr/bin:/bin")
    assert kubectl("get", deployment, "-n", ns, "-o", IMAGE) == "nginx:5"


def test_set_label_and_annotate(kubectl, ns, deployment):
    """Set, overwrite only when told to, and take away."""
    kubectl("set", "image", deployment, "-n", ns, "c=nginx:7")
    kubectl("set", "env", deployment, "-n", ns, "A=b")
    kubectl("set", "resources", deployment, "-n", ns, "--limits=cpu=1")
    kubectl("label", deployment, "-n", ns, "a=b")
    said = kubectl("label", deployment, "-n", ns, "a=c", code=1)
    assert "--overwrite is false" in said
    kubectl("label", deployment, "-n", ns, "a=c", "--overwrite")
    kubectl("annotate", deployment, "-n", ns, "note=x")
    kubectl("annotate", deployment, "-n", ns, "note-")
    found = yaml.safe_load(kubectl("get", deployment, "-n", ns, "-o", "yaml"))
    container = found["spec"]["template"]["spec"]["containers"][0]
    assert (container["image"], container["env"]) == ("nginx:7", [{"name": "A", "value": "b"}])
    assert container["resources"] == {"limits": {"cpu": "1"}}
    assert found["metadata"]["labels"] == {"a": "c"}
    assert "note" not in found["metadata"]["annotations"]


def test_prune_takes_away_what_is_no_longer_applied(kubectl, ns):
    """By label with an allow list, and as a set with a parent."""
    apply = ("apply", "-n", ns, "-f", "-", "--prune")
    by_label = (*apply, "-l", "prune=yes", "--prune-allowlist=core/v1/ConfigMap")
    kubectl(*by_label, text=config_map("a", prune="yes"))
    assert "configmap/a pruned" in kubectl(*by_label, text=config_map("b", prune="yes"))
    as_set = (*apply, "--applyset=parent")
    both = config_map("c") + "---\n" + config_map("d")
    kubectl(*as_set, text=both, KUBECTL_APPLYSET="true")
    assert "configmap/d pruned" in kubectl(*as_set, text=config_map("c"), KUBECTL_APPLYSET="true")
    left = kubectl("get", "cm", "-n", ns, "-o", "name").split()
    assert left == ["configmap/b", "configmap/c"]


@pytest.mark.parametrize(
    ("condition", "change"),
    [
        ("--for=create", ("create", "cm", "late")),
        ("--for=delete", ("delete", "cm", "early", "--wait=false")),
        ("--for=jsonpath={.data.x}=1", ("patch", "cm", "early", '-p={"data":{"x":"1"}}')),
    ],
)
def test_wait_ends_when_it_happens(kubectl, ns, condition, change):
    """Started before it happens."""
    kubectl("create", "cm", "early", "-n", ns)
    name = "cm/late" if "create" in condition else "cm/early"
    timer = threading.Timer(0.5, kubectl, (*change, "-n", ns))
    timer.start()
    kubectl("wait", name, "-n", ns, condition, "--timeout=30s")
    timer.join()


def test_wait_for_a_condition(kubectl, ns):
    """That the status says; one that it does not say times out."""
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}
    pod["spec"] = {"containers": [{"name": "c", "image": "i"}]}
    kubectl("create", "-n", ns, "-f", "-", text=yaml.dump(pod))
    status = '{"status":{"conditions":[{"type":"Ready","status":"True"}]}}'
    kubectl("patch", "pod/p", "-n", ns, "--subresource=status", "-p", status)
    kubectl("wait", "pod/p", "-n", ns, "--for=condition=Ready", "--timeout=30s")
    said = kubectl("wait", "pod/p", "-n", ns, "--for=condition=Gone", "--timeout=1s", code=1)
    assert "timed out waiting for the condition" in said


def test_watch_prints_what_changes(kubectl, ns, admin_config):
    """As a person sees it: one line per event, in the server's columns."""
    kubectl("create", "cm", "a", "-n", ns)
    command = [str(kubectl.binary), "--kubeconfig", str(admin_config), "get", "cm", "-n", ns]
    command += ["--watch", "-o", "custom-columns=N:.metadata.name,D:.data.x"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout.readline().split() == ["N", "D"]
        assert watching.stdout.readline().split() == ["a", "<none>"]
        kubectl("patch", "cm/a", "-n", ns, '-p={"data":{"x":"1"}}')
        assert watching.stdout.readline().split() == ["a", "1"]
        watching.terminate()


def test_who_may_do_what(kubectl, ns):
    """For oneself, for another, as a list, and with a service account's token."""
    assert kubectl("auth", "can-i", "*", "*").strip() == "yes"
    kubectl("create", "sa", "robot", "-n", ns)
    robot = f"--as=system:serviceaccount:{ns}:robot"
    assert kubectl("auth", "can-i", "get", "pods", "-n", ns, robot, code=1).startswith("no")
    kubectl("create", "role", "r", "-n", ns, "--verb=get", "--resource=pods")
    kubectl("create", "rolebinding", "r", "-n", ns, "--role=r", f"--serviceaccount={ns}:robot")
    assert kubectl("auth", "can-i", "get", "pods", "-n", ns, robot).strip() == "yes"
    rows = kubectl("auth", "can-i", "--list", "-n", ns, robot).splitlines()
    assert ["pods", "[]", "[]", "[get]"] in [row.split() for row in rows]
    token = kubectl("create", "token", "robot", "-n", ns, "--duration=600s").strip()
    assert token.count(".") == 2
    assert f"system:serviceaccount:{ns}:robot" in kubectl("auth", "whoami", robot)


def test_api_is_listed_and_explained(kubectl):
    """Versions, resources by verb, fields by path and with all below them."""
    assert {"v1", "apps/v1", "autoscaling/v2"} <= set(kubectl("api-versions").split())
    names = kubectl("api-resources", "--verbs=list", "--namespaced", "-o", "name").split()
    assert {"pods", "deployments.apps"} <= set(names)
    assert "nodes" not in names
    assert "FIELDS:" in kubectl("explain", "deployment.spec.template.spec", "--recursive")
    assert "VERSION:    v1" in kubectl("explain", "hpa", "--api-version=autoscaling/v1")


BODIES = {
    "ConfigMap": {"data": {"a": "b"}},
    "Secret": {"data": {"a": "Yg=="}},
    "ServiceAccount": {},
    "LimitRange": {
        "spec": {
            "limits": [
                {"type": "Pod", "max": {"cpu": "1"}},
                {"type": "Container", "default": {"cpu": "100m"}},
            ]
        }
    },
    "ResourceQuota": {"spec": {"hard": {"configmaps": "99"}}},
    "Service": {"spec": {"ports": [{"port": 80}], "selector": {"a": "b"}}},
    "Endpoints": {"subsets": [{"addresses": [{"ip": "10.1.1.1"}], "ports": [{"port": 80}]}]},
    "PersistentVolumeClaim": {
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        }
    },
    "Pod": {"spec": {"containers": [{"name": "c", "image": "i"}]}},
    "PodTemplate": {
        "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        }
    },
}
TEMPLATE = BODIES["PodTemplate"]["template"]
SELECTED = {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}
ONCE = {"spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}
OTHERS = {
    ("v1", "ReplicationController"): {"spec": {"selector": {"a": "b"}, "template": TEMPLATE}},
    ("apps/v1", "Deployment"): {"spec": SELECTED},
    ("apps/v1", "ReplicaSet"): {"spec": SELECTED},
    ("apps/v1", "DaemonSet"): {"spec": SELECTED},
    ("apps/v1", "StatefulSet"): {"spec": {**SELECTED, "serviceName": "s"}},
    ("apps/v1", "ControllerRevision"): {"revision": 1, "data": {}},
    ("batch/v1", "Job"): {"spec": {"template": ONCE}},
    ("batch/v1", "CronJob"): {
        "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": ONCE}}}
    },
    ("autoscaling/v2", "HorizontalPodAutoscaler"): {
        "spec": {
            "maxReplicas": 2,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"},
        }
    },
    ("policy/v1", "PodDisruptionBudget"): {
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}
    },
    ("networking.k8s.io/v1", "Ingress"): {
        "spec": {"defaultBackend": {"service": {"name": "x", "port": {"number": 80}}}}
    },
    ("networking.k8s.io/v1", "NetworkPolicy"): {"spec": {"podSelector": {}}},
    ("discovery.k8s.io/v1", "EndpointSlice"): {
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.1.1.1"]}],
        "ports": [{"port": 80}],
    },
    ("coordination.k8s.io/v1", "Lease"): {"spec": {"holderIdentity": "x"}},
    ("rbac.authorization.k8s.io/v1", "Role"): {
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    },
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "x"},
        "subjects": [{"kind": "ServiceAccount", "name": "default"}],
    },
}


def test_every_kind_of_a_namespace_is_described(kubectl, ns):
    """One object of each, all at once: none is too much for kubectl."""
    bodies = {**{("v1", kind): body for kind, body in BODIES.items()}, **OTHERS}
    objects = [
        {"apiVersion": version, "kind": kind, "metadata": {"name": "x"}, **body}
        for (version, kind), body in bodies.items()
    ]
    kubectl("create", "-n", ns, "-f", "-", text=yaml.dump_all(objects))
    names = []
    for version, kind in bodies:
        group, _, number = version.rpartition("/")
        names.append(f"{kind}.{number}.{group}/x" if group else f"{kind}/x")
    text = kubectl("describe", "-n", ns, *names)
    assert text.count("\nName:") + text.startswith("Name:") >= len(names)


def test_every_kind_of_the_cluster_is_described(kubectl):
    """Whatever there is of it."""
    resources = kubectl("api-resources", "--namespaced=false", "--verbs=list,get", "-o", "name")
    for resource in resources.split():
        kubectl("describe", resource)
