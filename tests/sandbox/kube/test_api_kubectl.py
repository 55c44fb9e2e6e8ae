"""What people type: kubectl against the API server."""

import json

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


def test_apply_creates_then_configures_then_leaves_alone(kubectl, ns):
    """Client-side apply in its three outcomes."""
    changed = DEPLOYMENT.replace("nginx:1", "nginx:2")
    said = [kubectl("apply", "-n", ns, "-f", "-", text=t) for t in (DEPLOYMENT, changed, changed)]
    assert [line.split()[-1] for line in said] == ["created", "configured", "unchanged"]


def test_server_side_apply_and_its_managers(kubectl, ns):
    """The manager of an apply is kubectl."""
    kubectl("apply", "-n", ns, "--server-side", "-f", "-", text=DEPLOYMENT)
    shown = kubectl("get", "deploy/web", "-n", ns, "-o", "json", "--show-managed-fields")
    managers = json.loads(shown)["metadata"]["managedFields"]
    assert [(part["manager"], part["operation"]) for part in managers] == [("kubectl", "Apply")]


def test_get_shows_the_columns_of_the_server(kubectl, ns):
    """A Table with its wide columns."""
    kubectl("apply", "-n", ns, "-f", "-", text=DEPLOYMENT)
    head, row = kubectl("get", "deploy", "-n", ns, "-o", "wide").splitlines()
    assert head.split() == [
        "NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE", "CONTAINERS", "IMAGES", "SELECTOR",
    ]  # fmt: skip
    assert row.split()[:2] == ["web", "0/0"]


def test_explain_reads_the_openapi_document(kubectl):
    """OpenAPI v3, made from the definitions."""
    text = kubectl("explain", "deployment.spec.strategy")
    assert "rollingUpdate\t<RollingUpdateDeployment>" in text


def test_discovery_survives_being_read_again(kubectl):
    """The second reading is answered 304 and must still be understood."""
    first, second = kubectl("api-resources"), kubectl("api-resources")
    assert first == second
    assert "horizontalpodautoscalers" in second


def test_typed_commands_are_read_from_protobuf(kubectl, ns):
    """Kubectl sends these kinds in protobuf only."""
    kubectl("create", "configmap", "c", "-n", ns, "--from-literal=a=b")
    kubectl("create", "secret", "generic", "s", "-n", ns, "--from-literal=a=b")
    kubectl("create", "deployment", "d", "-n", ns, "--image=i:1", "--port=80")
    kubectl("create", "ingress", "i", "-n", ns, "--rule=a.example.com/x*=s:80")
    kubectl("create", "role", "r", "-n", ns, "--verb=get", "--resource=pods")
    found = yaml.safe_load(kubectl("get", "ingress/i", "-n", ns, "-o", "yaml"))
    path = found["spec"]["rules"][0]["http"]["paths"][0]
    assert (path["path"], path["pathType"]) == ("/x", "Prefix")
    container = json.loads(kubectl("get", "deploy/d", "-n", ns, "-o", "json"))["spec"]["template"]
    assert container["spec"]["containers"][0]["ports"] == [{"containerPort": 80, "protocol": "TCP"}]


def test_auth_can_i_and_whoami(kubectl):
    """Reviews of the caller."""
    assert kubectl("auth", "can-i", "create", "pods").strip() == "yes"
    assert "Username" in kubectl("auth", "whoami")


def test_scale_and_wait(kubectl, ns):
    """The scale subresource, then a wait that sees it."""
    kubectl("apply", "-n", ns, "-f", "-", text=DEPLOYMENT)
    kubectl("scale", "deploy/web", "-n", ns, "--replicas=3")
    kubectl("wait", "deploy/web", "-n", ns, "--for=jsonpath={.spec.replicas}=3", "--timeout=10s")
