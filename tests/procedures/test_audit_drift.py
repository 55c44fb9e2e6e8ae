"""Procedure 08 on a sandbox: each kind of drift, made by the clients that people use."""

import base64
import gzip
import json

import pytest

from azrunbook import connect, resources
from azrunbook.procedures import undoing
from azrunbook.resources import model

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PROCEDURE = "08_audit_drift"
CONTEXT = ("--context", "aks-multiregion-cluster-eastus")
APP = ("--namespace", "hello-world", *CONTEXT)
OTHER_CONTEXT = ("--context", "aks-multiregion-cluster-westus2")


def audit(estate, **parameters):
    """Run the audit; returns it and what it recorded as drift."""
    done = estate.perform(PROCEDURE, **parameters)
    assert done.error is None, done.error
    return done, next(one["rows"] for one in done.list("observation"))


def require_clean(estate):
    """A second audit, which changes nothing, finds nothing."""
    done, rows = audit(estate, apply=False)
    assert (rows, done.verdict, done.started) == ([], "passed", [])


def test_an_estate_as_declared_passes_without_a_change(estate):
    """Nothing drifted: passed, applied as well, and not one step."""
    done, rows = audit(estate, apply=True)
    assert (rows, done.verdict, done.started, done.plan["changes"]) == ([], "passed", [], [])


def kubectl(estate, *arguments):
    return estate.shell("kubectl", *arguments)


def upgrade_by_hand(estate):
    """As somebody in a hurry does, and then thinks better of it and goes back too far."""
    for count in ("3", "2"):
        estate.shell(
            "helm", "upgrade", "hello-world", str(estate.project / "app"), "--reuse-values",
            "--set", f"replicaCount={count}",
            "--namespace", "hello-world", "--kube-context", CONTEXT[1],
        )  # fmt: skip
    back = estate.list_revisions()[-2]["revision"]
    estate.shell(
        "helm", "rollback", "hello-world", str(back), "--namespace", "hello-world",
        "--kube-context", CONTEXT[1],
    )  # fmt: skip


def write_revision(estate, name, *, status, namespace=""):
    """One more revision of a release in the second region, as a helm leaves it that was killed."""
    number = estate.list_revisions(name, context=OTHER_CONTEXT[1])[-1]["revision"]
    path = f"secret/sh.helm.release.v1.{name}.v{{}}"
    where = ("--namespace", name, *OTHER_CONTEXT)
    secret = json.loads(kubectl(estate, "get", path.format(number), "-o", "json", *where).stdout)
    packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
    release = json.loads(gzip.decompress(packed))
    release["version"], release["info"]["status"] = number + 1, status
    release["namespace"] = namespace or name
    packed = base64.b64encode(gzip.compress(json.dumps(release).encode()))
    labels = secret["metadata"]["labels"] | {"status": status, "version": str(number + 1)}
    file = estate.root / "revision.json"
    metadata = {"name": path.format(number + 1).partition("/")[2], "labels": labels}
    data = {"release": base64.b64encode(packed).decode()}
    file.write_text(json.dumps({**secret, "metadata": metadata, "data": data}))
    kubectl(estate, "create", "-f", str(file), "--namespace", namespace or name, *OTHER_CONTEXT)


def cordon_one(estate):
    nodes = json.loads(kubectl(estate, "get", "nodes", "-o", "json", *CONTEXT).stdout)["items"]
    kubectl(estate, "cordon", nodes[0]["metadata"]["name"], *CONTEXT)


def colleague(estate):
    """Azure as somebody else sees it."""
    return connect.connect("dv", str(estate.home / "sandbox/colleague.json"))


def disable_origin(estate):
    colleague(estate).front_door.set_origin_state("westus2", is_enabled=False)


def retag_registry(estate):
    """One property by PATCH, as the portal does."""
    clients = colleague(estate)
    registry = next(
        one
        for one in resources.desired_resources(clients.estate, clients.subscription_id)
        if one.type == model.REGISTRY
    )
    poller = clients.arm.begin_patch(
        registry.id, registry.api_version, {"tags": {**registry.body["tags"], "project": "mine"}}
    )
    clients.arm.wait(poller, what="retag", timeout=60)


COLLEAGUE = "application {} (write)"
DRIFT = {
    "rollback": (
        upgrade_by_hand,
        ("helm", "changed", "Deployment hello-world/hello-world spec replicas", "Helm revision"),
    ),
    "scale": (
        lambda estate: kubectl(estate, "scale", "deployment/hello-world", "--replicas=1", *APP),
        ("kubernetes", "changed", "spec.replicas", "kubectl"),
    ),
    "image": (
        lambda estate: kubectl(estate, "set", "image", "deployment/hello-world", "*=x/y:z", *APP),
        ("kubernetes", "changed", "spec.template.spec.containers[app].image", "kubectl"),
    ),
    "label": (
        lambda estate: kubectl(
            estate, "label", "--overwrite", "service/hello-world",
            "app.kubernetes.io/version=mine", *APP,
        ),
        ("kubernetes", "changed", "metadata.labels.app.kubernetes.io/version", "kubectl-label"),
    ),
    "variables": (
        lambda estate: kubectl(
            estate, "set", "env", "deployment/hello-world", "APP_NAME=mine", "EXTRA=1", *APP
        ),
        ("kubernetes", "added", "spec.template.spec.containers[app].env[EXTRA]", "kubectl-set"),
    ),
    "variable": (
        lambda _: None,  # set together with the other one
        ("kubernetes", "changed", "spec.template.spec.containers[app].env[APP_NAME].value", "k"),
    ),
    "pending": (
        lambda estate: write_revision(estate, "hello-world", status="pending-upgrade"),
        ("helm", "unfinished", "status: deployed is pending-upgrade", "Helm revision"),
    ),
    "failed": (
        lambda estate: write_revision(estate, "traefik", status="failed"),
        ("helm", "unfinished", "status: deployed is failed", "Helm revision"),
    ),
    "deleted object": (
        lambda estate: kubectl(estate, "delete", "ingress", "hello-world", *APP),
        ("kubernetes", "missing", "", "not told"),
    ),
    "cordon": (cordon_one, ("nodes", "changed", "spec.unschedulable", "kubectl")),
    "origin": (disable_origin, ("front door", "changed", "properties.enabledState", COLLEAGUE)),
    "resource": (retag_registry, ("azure", "changed", "tags.project", COLLEAGUE)),
}  # fmt: skip


def test_each_kind_of_drift_is_found_named_and_healed(estate):
    """All of them at once, as after a bad night; a dry run heals nothing, an applied one all."""
    for change, _ in DRIFT.values():
        change(estate)
    dry, rows = audit(estate, apply=False)
    assert (dry.verdict, dry.started) == ("failed", [])
    other = colleague(estate).connection.credential.client_id
    for row in rows:
        if row["kind"] == "unfinished":
            row["path"] += f": {row['declared']} is {row['actual']}"
    for name, (_, (layer, kind, path, by)) in DRIFT.items():
        assert any(
            (row["layer"], row["kind"], row["path"]) == (layer, kind, path)
            and row["by"].startswith(by.format(other))
            for row in rows
        ), (name, rows)
    healed, found = audit(estate, apply=True)
    assert (healed.verdict, len(found)) == ("passed", len(rows))
    require_clean(estate)


def test_undo_brings_back_what_an_audit_has_healed(estate):
    """A label of somebody's, and a cordon; audited again, both are drift again."""
    label = ("label", "service/hello-world", "team=mine", *APP)
    kubectl(estate, *label)
    cordon_one(estate)
    healed, rows = audit(estate, apply=True)
    assert (healed.verdict, [row["path"] for row in rows]) == (
        "passed", ["metadata.labels.team", "spec.unschedulable"],
    )  # fmt: skip
    assert undoing.undo(healed.folder, estate.clients()).verdict == "undone"
    again, returned = audit(estate, apply=True)
    assert again.verdict == "passed"
    assert [(row["path"], row["actual"]) for row in returned] == [
        (row["path"], row["actual"]) for row in rows
    ]


def test_a_stopped_region_is_a_state_and_not_a_thousand_missing_objects(estate):
    """It is told once, with its origin; the audit does not pass, and starts or heals nothing."""
    clients = estate.clients()
    region = clients.estate.regions["secondary"]
    clients.clusters.stop(region.resource_group, clients.estate.cluster.name, timeout=60)
    try:
        disable_origin(estate)
        done, rows = audit(estate, apply=True)
    finally:
        clients.front_door.set_origin_state(region.location, is_enabled=True)
        clients.clusters.start(region.resource_group, clients.estate.cluster.name, timeout=60)
        clients.region("secondary").workloads.wait_for_rollout(
            clients.estate.app.namespace, release=clients.estate.app.release, timeout=120
        )
    assert (done.verdict, done.started) == ("failed", [])
    assert [(row["kind"], row["region"]) for row in rows] == [("state", region.location)] * 2
    assert any("07_fail_back_region" in note for note in done.plan["notes"])


def test_what_nobody_declares_is_told_and_never_deleted(estate):
    """It may be somebody else's: it stays; and who made it, Azure's log tells minutes later."""
    clients = estate.clients()
    group = clients.estate.regions["primary"].resource_group
    id_ = model.resource_id(clients.subscription_id, group, model.SECURITY_GROUP, "nsg-mine")
    version = model.get_api_version(model.SECURITY_GROUP)
    estate.inject("log_delay", seconds=600)
    clients.put(id_, version, {"location": clients.estate.regions["primary"].location})
    kubectl(estate, "create", "configmap", "mine", "--from-literal=a=b", *APP)
    kubectl(estate, "create", "namespace", "elsewhere", *OTHER_CONTEXT)
    write_revision(estate, "hello-world", status="deployed", namespace="elsewhere")
    try:
        done, rows = audit(estate, apply=True)
        assert (done.verdict, done.started) == ("failed", [])
        assert {row["kind"] for row in rows} == {"undeclared"}
        assert [(row["name"], row["by"]) for row in rows] == [
            ("nsg-mine", "not yet told"),
            ("hello-world/mine", "kubectl-create"),
            ("elsewhere/hello-world", "not told"),
        ]
        assert "ConfigMap hello-world/mine in eastus" in " ".join(done.plan["notes"])
        assert clients.arm.find(id_, version)
    finally:
        estate.inject("log_delay", seconds=0)
        clients.delete(id_, version)
        kubectl(estate, "delete", "configmap", "mine", *APP)
        kubectl(estate, "delete", "namespace", "elsewhere", *OTHER_CONTEXT)
