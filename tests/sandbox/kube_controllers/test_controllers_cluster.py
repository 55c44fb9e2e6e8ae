"""Namespaces, garbage, services, scheduling, budgets and nodes over a registry."""

import asyncio
import dataclasses

import pytest

from azrunbook.sandbox.kube import errors, times
from azrunbook.sandbox.kube.subresources import pods as subresources
from azrunbook.sandbox.kube.writes import Write


def zones(world):
    nodes = {n["metadata"]["name"]: n for n in world.list("nodes", None)}
    names = [pod["spec"]["nodeName"] for pod in world.list("pods")]
    return sorted(nodes[n]["metadata"]["labels"]["topology.kubernetes.io/zone"] for n in names)


async def test_every_namespace_gets_account_and_bundle(world):
    """A new namespace holds ServiceAccount default and the CA bundle."""
    world.make("namespaces", "shop")
    await world.until(lambda: world.find("serviceaccounts", "default", "shop"))
    bundle = await world.until(lambda: world.find("configmaps", "kube-root-ca.crt", "shop"))
    assert bundle["data"] == {"ca.crt": "bundle"}


async def test_deleted_ca_bundle_comes_back(world):
    """The bundle of a live namespace is put back."""
    await world.until(lambda: world.find("configmaps", "kube-root-ca.crt"))
    first = world.find("configmaps", "kube-root-ca.crt")["metadata"]["uid"]
    world.delete("configmaps", "kube-root-ca.crt")
    back = await world.until(lambda: world.find("configmaps", "kube-root-ca.crt"))
    assert back["metadata"]["uid"] != first


async def test_deleted_namespace_takes_everything_with_it(world):
    """Pods, services and the namespace itself go."""
    world.make("namespaces", "shop")
    pod = {"containers": [{"name": "c", "image": "app:1"}]}
    world.make("pods", "p", "shop", spec=pod)
    world.make("services", "s", "shop", spec={"ports": [{"port": 80}]})
    await world.until(lambda: world.find("pods", "p", "shop")["status"].get("podIP"))
    world.delete("namespaces", "shop")
    await world.until(lambda: world.find("namespaces", "shop", None) is None)
    assert world.list("pods", "shop") == world.list("services", "shop") == []


async def test_namespace_with_every_workload_goes(world):
    """Nobody fills it again while it goes, and counted pods do not hold it back."""
    world.make("namespaces", "shop")
    template = world.template("w")
    selector = {"matchLabels": {"app": "w"}}
    once = world.template("w", restartPolicy="Never")
    world.make("jobs", "j", "shop", spec={"template": once})
    world.make("daemonsets", "ds", "shop", spec={"selector": selector, "template": template})
    for plural in ("deployments", "statefulsets"):
        spec = {"replicas": 2, "selector": selector, "template": template}
        more = {"serviceName": "w"} if plural == "statefulsets" else {}
        world.make(plural, "w", "shop", spec={**spec, **more})
    await world.until(lambda: len(world.list("pods", "shop")) == 8)
    await world.settle()
    said = set()

    def note(resource, _before, after):
        if resource.plural == "events" and after is not None:
            said.add(after["reason"])

    world.registry.after_write.append(note)
    world.delete("namespaces", "shop")
    await world.until(lambda: world.find("namespaces", "shop", None) is None)
    assert not said & {"FailedCreate", "ReplicaSetCreateError"}


async def test_finalizer_in_a_namespace_is_named_in_its_conditions(world):
    """A namespace held back says by what, and goes once it is let go."""
    world.make("namespaces", "shop")
    world.make("configmaps", "held", "shop", metadata={"finalizers": ["example.com/f"]})
    world.delete("namespaces", "shop")
    kind = "NamespaceFinalizersRemaining"
    found = await world.until(
        lambda: (
            (c := world.condition("namespaces", "shop", kind, None)).get("status") == "True" and c
        )
    )
    assert found["message"].endswith("remaining: example.com/f in 1 resource instances")
    world.patch("configmaps", "held", {"metadata": {"finalizers": None}}, "shop")
    await world.until(lambda: world.find("namespaces", "shop", None) is None)


async def test_background_deletion_takes_dependents(world):
    """Deleting a Deployment leaves neither ReplicaSets nor pods."""
    world.deployment("web")
    await world.until(lambda: world.is_complete("web"))
    world.delete("deployments", "web", propagationPolicy="Background")
    await world.until(lambda: not world.list("replicasets") and not world.list("pods"))


async def test_foreground_deletion_removes_the_owner_last(world):
    """The Deployment stays until its ReplicaSets and pods are gone."""
    world.deployment("web")
    await world.until(lambda: world.is_complete("web"))
    order = []

    def note(resource, _before, after):
        if after is None and resource.plural in ("deployments", "replicasets", "pods"):
            order.append(resource.plural)

    world.registry.after_write.append(note)
    world.delete("deployments", "web", propagationPolicy="Foreground")
    await world.until(lambda: world.find("deployments", "web") is None)
    assert order == ["pods", "pods", "replicasets", "deployments"]


async def test_orphaned_dependents_stay(world):
    """With Orphan the pods stay and lose their owner."""
    world.deployment("web")
    await world.until(lambda: world.is_complete("web"))
    world.delete("deployments", "web", propagationPolicy="Orphan")
    await world.until(lambda: world.find("deployments", "web") is None)
    await world.settle()
    (replica_set,) = world.list("replicasets")
    assert "ownerReferences" not in replica_set["metadata"]
    assert len(world.list("pods")) == 2


async def test_load_balancer_gets_an_address_and_gives_it_back(world):
    """Two balancers have two addresses; a deleted one's address is used again."""
    spec = {"type": "LoadBalancer", "ports": [{"port": 80}]}
    for name in ("a", "b"):
        world.make("services", name, spec=spec)

    def address(name):
        ingress = world.find("services", name)["status"]["loadBalancer"].get("ingress")
        return ingress and ingress[0]["ip"]

    await world.until(lambda: address("a") and address("b"))
    assert {address("a"), address("b")} == {"127.9.1.1", "127.9.1.2"}
    freed = address("a")
    world.delete("services", "a")
    await world.until(lambda: world.find("services", "a") is None)
    world.make("services", "c", spec=spec)
    assert await world.until(lambda: address("c")) == freed


async def test_endpoints_follow_the_pods(world):
    """A pod that stops being ready is marked so in the slice and leaves the Endpoints."""
    world.make("services", "web", spec={"selector": {"app": "web"}, "ports": [{"port": 80}]})
    world.deployment("web")
    await world.until(lambda: world.is_complete("web"))

    def ready():
        (found,) = world.list("endpointslices", label_selector="kubernetes.io/service-name=web")
        return sorted(one["conditions"]["ready"] for one in found.get("endpoints") or ())

    await world.until(lambda: ready() == [True, True])
    world.say_running(world.list("pods")[0], ready=False)
    await world.until(lambda: ready() == [False, True])
    (subset,) = world.find("endpoints", "web")["subsets"]
    assert len(subset["addresses"]) == len(subset["notReadyAddresses"]) == 1


async def test_terminating_pod_is_marked_terminating_in_the_slice(world):
    """A pod being deleted is serving and terminating but not ready."""
    world.make("services", "web", spec={"selector": {"app": "web"}, "ports": [{"port": 80}]})
    world.deployment("web", replicas=1)
    await world.until(lambda: world.is_complete("web"))
    (pod,) = world.list("pods")
    body = {"metadata": {"finalizers": ["example.com/hold"]}}
    world.patch("pods", pod["metadata"]["name"], body)
    world.delete("pods", pod["metadata"]["name"])

    def conditions():
        (found,) = world.list("endpointslices", label_selector="kubernetes.io/service-name=web")
        return [
            one["conditions"]
            for one in found["endpoints"]
            if one["targetRef"]["uid"] == pod["metadata"]["uid"]
        ]

    wanted = {"ready": False, "serving": True, "terminating": True}
    await world.until(lambda: conditions() == [wanted])


async def test_pods_spread_over_zones(world):
    """Six pods of one Deployment end two in each zone."""
    world.deployment("web", replicas=6)
    await world.until(lambda: world.is_complete("web"))
    assert zones(world) == ["z1", "z1", "z2", "z2", "z3", "z3"]


async def test_pod_that_fits_nowhere_says_why_and_is_placed_later(world):
    """The message counts nodes by reason; a larger node makes the pod run."""
    requests = {"requests": {"cpu": "6"}}
    world.make(
        "pods", "big", spec={"containers": [{"name": "c", "image": "i", "resources": requests}]}
    )
    found = await world.until(
        lambda: (c := world.condition("pods", "big", "PodScheduled")).get("status") == "False" and c
    )
    assert found["reason"] == "Unschedulable"
    assert found["message"] == (
        "0/3 nodes are available: 3 Insufficient cpu. no new claims to deallocate, preemption: "
        "0/3 nodes are available: 3 Preemption is not helpful for scheduling."
    )
    assert world.events("FailedScheduling") == [found["message"]]
    world.node("large", cpu="8")
    await world.until(lambda: world.find("pods", "big")["spec"].get("nodeName") == "large")


async def test_pod_of_higher_priority_gets_the_room_that_appears(world):
    """When a node joins, the queue is served by priority, not by age."""
    requests = {"requests": {"cpu": "6"}}
    container = {"name": "c", "image": "i", "resources": requests}
    world.make("priorityclasses", "urgent", value=1000)
    for name, more in (("low", {}), ("high", {"priorityClassName": "urgent"})):
        world.make("pods", name, spec={"containers": [container], **more})
        await world.until(lambda name=name: world.condition("pods", name, "PodScheduled"))
    world.node("large", cpu="8")
    await world.until(lambda: world.find("pods", "high")["spec"].get("nodeName") == "large")
    await world.settle()
    assert "nodeName" not in world.find("pods", "low")["spec"]


async def test_gated_pod_waits_for_its_gates(world):
    """A pod with gates says so and is placed when the last one is gone."""
    container = {"name": "c", "image": "i"}
    gates = [{"name": "example.com/g"}]
    world.make("pods", "p", spec={"containers": [container], "schedulingGates": gates})
    found = await world.until(lambda: world.condition("pods", "p", "PodScheduled"))
    assert (found["reason"], found["message"]) == (
        "SchedulingGated",
        "Scheduling is blocked due to non-empty scheduling gates",
    )
    world.patch("pods", "p", {"spec": {"schedulingGates": None}})
    await world.until(lambda: world.find("pods", "p")["spec"].get("nodeName"))


async def test_cordoned_node_gets_no_pods_and_its_taint(world):
    """An unschedulable node is tainted and passed over."""
    world.patch("nodes", "node-1", {"spec": {"unschedulable": True}})
    await world.until(lambda: world.find("nodes", "node-1", None)["spec"].get("taints"))
    world.deployment("web", replicas=4)
    await world.until(lambda: world.is_complete("web"))
    assert zones(world) == ["z2", "z2", "z3", "z3"]
    world.patch("nodes", "node-1", {"spec": {"unschedulable": None}})
    await world.until(lambda: not world.find("nodes", "node-1", None)["spec"].get("taints"))


async def test_budget_counts_and_guards_its_pods(world):
    """The status says how many may go; the eviction after that is refused."""
    world.deployment("web", replicas=3)
    selector = {"matchLabels": {"app": "web"}}
    world.make("poddisruptionbudgets", "web", spec={"minAvailable": 2, "selector": selector})
    await world.until(lambda: world.is_complete("web"))
    await world.until(
        lambda: world.find("poddisruptionbudgets", "web")["status"]["disruptionsAllowed"] == 1
    )
    first, second, _ = (pod["metadata"]["name"] for pod in world.list("pods"))
    subresources.evict(world.registry, "default", first, {}, Write())
    with pytest.raises(errors.StatusError, match="violate the pod's disruption budget"):
        subresources.evict(world.registry, "default", second, {}, Write())


async def keep_alive(world, *names):
    """Heartbeats of these nodes, until cancelled."""
    while True:
        for name in names:
            status = world.find("nodes", name, None)["status"]
            (other,) = [c for c in status["conditions"] if c["type"] == "Ready"]
            beat = {**other, "status": "True", "lastHeartbeatTime": f"{times.micro_stamp()}"}
            body = {"status": {"conditions": [beat]}}
            world.patch("nodes", name, body, subresource="status")
        await asyncio.sleep(0.1)


def taints(world, name):
    found = world.find("nodes", name, None)["spec"].get("taints") or ()
    return [(taint["key"], taint["effect"]) for taint in found]


UNREACHABLE = "node.kubernetes.io/unreachable"


async def test_silent_node_is_tainted_and_its_pods_move(world):
    """Without a sign of life a node becomes Unknown; pods leave when their toleration ends."""
    at_once = {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 0}
    world.deployment("web", replicas=3, template_spec={"tolerations": [{**at_once}]})
    await world.until(lambda: world.is_complete("web"))
    await world.stop()
    world.timing = dataclasses.replace(world.timing, node_grace_seconds=0.5)
    beats = asyncio.create_task(keep_alive(world, "node-2", "node-3"))
    await world.start()
    await world.until(lambda: len(taints(world, "node-1")) == 2)
    assert taints(world, "node-1") == [(UNREACHABLE, "NoSchedule"), (UNREACHABLE, "NoExecute")]
    ready = world.condition("nodes", "node-1", "Ready", None)
    assert (ready["status"], ready["reason"]) == ("Unknown", "NodeStatusUnknown")
    await world.until(
        lambda: {p["spec"].get("nodeName") for p in world.list("pods")} == {"node-2", "node-3"}
    )
    assert world.events("TaintManagerEviction")
    beats.cancel()


async def test_no_pod_is_evicted_when_every_node_is_silent(world):
    """With all nodes silent it is the control plane that is cut off: pods stay."""
    await world.stop()
    world.timing = dataclasses.replace(world.timing, node_grace_seconds=0.2)
    await world.start()
    await world.until(
        lambda: all(
            taints(world, f"node-{index}") == [(UNREACHABLE, "NoSchedule")] for index in (1, 2, 3)
        )
    )


async def test_pods_of_a_removed_node_are_deleted(world):
    """After the quarantine nothing is left of a node that is gone."""
    world.deployment("web", replicas=3)
    await world.until(lambda: world.is_complete("web"))
    world.delete("nodes", "node-1", None)
    await world.until(
        lambda: (
            world.is_complete("web")
            and {pod["spec"]["nodeName"] for pod in world.list("pods")} == {"node-2", "node-3"}
        )
    )


async def test_idle_cluster_writes_nothing(world):
    """Once settled, no controller writes by itself."""
    world.deployment("web")
    await world.until(lambda: world.is_complete("web"))
    await world.settle()
    before = world.registry.store.revision
    await world.settle()
    assert world.registry.store.revision == before


async def test_any_kind_of_dependent_is_collected(world):
    """An owner reference whose owner is gone is enough, whatever the kind."""
    owner = world.make("configmaps", "owner")
    reference = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "owner",
        "uid": owner["metadata"]["uid"],
    }
    world.make("secrets", "mine", metadata={"ownerReferences": [reference]})
    await world.settle()
    assert world.find("secrets", "mine")
    world.delete("configmaps", "owner")
    await world.until(lambda: world.find("secrets", "mine") is None)


def definition(world):
    """A CustomResourceDefinition of namespaced widgets."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True}
    spec = {
        "group": "shop.example.com",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
        "versions": [{**version, "schema": {"openAPIV3Schema": schema}}],
    }
    return world.make("customresourcedefinitions", "widgets.shop.example.com", spec=spec)


async def test_custom_resources_own_and_go_with_their_namespace(world):
    """A kind that is defined, withdrawn and defined again takes part in garbage collection."""
    for _ in range(2):
        definition(world)
        await world.until(lambda: world.registry.resources.find("shop.example.com", "widgets"))
        world.make("namespaces", "shop")
        widget = world.make("widgets", "w", "shop")
        reference = {
            "apiVersion": "shop.example.com/v1",
            "kind": "Widget",
            "name": "w",
            "uid": widget["metadata"]["uid"],
        }
        world.make("configmaps", "mine", "shop", metadata={"ownerReferences": [reference]})
        await world.settle()
        world.delete("widgets", "w", "shop")
        await world.until(lambda: world.find("configmaps", "mine", "shop") is None)
        world.make("widgets", "left", "shop")
        world.delete("namespaces", "shop")
        await world.until(lambda: world.find("namespaces", "shop", None) is None)
        world.delete("customresourcedefinitions", "widgets.shop.example.com")
        await world.until(lambda: not world.registry.resources.find("shop.example.com", "widgets"))
