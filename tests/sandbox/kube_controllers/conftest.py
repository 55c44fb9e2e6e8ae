"""A cluster without HTTP: a registry, its controllers, and a kubelet that only writes status."""

import asyncio
import ipaddress
import time

import pytest

from azrunbook.sandbox.kube import admission, errors, metrics, registry, resources, store, times
from azrunbook.sandbox.kube.access import bootstrap
from azrunbook.sandbox.kube.controllers import access, api_service, assembly, events, loop

PATIENCE_SECONDS = 10.0
SERVICE_ADDRESSES = ipaddress.ip_network("127.9.2.0/23")
READY = ("Initialized", "Ready", "ContainersReady", "PodReadyToStartContainers")


class World:
    """The cluster as a test sees it: reads, writes, and what a kubelet would say."""

    def __init__(self, served=None):
        """A registry of its own, or that of a cluster that runs already."""
        self.registry = served or registry.Registry(
            resources.ResourceTable(), store.Store(), admission.Admission(SERVICE_ADDRESSES)
        )
        self.access = access.Access(self.registry, events.Recorder(self.registry))
        self.timing = assembly.Timing(
            node_grace_seconds=60,
            orphan_quarantine_seconds=0.1,
            namespace_grace_seconds=0,
            autoscaler_period_seconds=0.05,
        )
        self.usage = {}
        self.loop = None
        self.ready_kubelets = True
        self.silent = set()  # nodes without a kubelet
        self._kubelet = None
        self._addresses = iter(ipaddress.ip_network("127.9.16.0/20").hosts())

    async def start(self):
        bootstrap.seed(self.registry)
        api_service.ensure_api_service(
            self.access,
            service_addresses=SERVICE_ADDRESSES,
            address="127.9.0.1",
            port=6443,
        )
        controllers = assembly.make_controllers(
            self.access,
            ca_pem=b"bundle",
            load_balancer_addresses=ipaddress.ip_network("127.9.1.0/24"),
            timing=self.timing,
            metrics=self._measure,
            issue_token=lambda account, _secret: f"token of {account['metadata']['name']}",
        )
        self.loop = loop.Loop(self.registry, controllers)
        await self.loop.start()
        self.start_kubelet()

    def start_kubelet(self):
        self._kubelet = asyncio.create_task(self._run_kubelet())

    async def stop(self):
        self._kubelet.cancel()
        await asyncio.gather(self._kubelet, return_exceptions=True)
        if self.loop is not None:
            await self.loop.stop()

    async def until(self, check, *, seconds=PATIENCE_SECONDS):
        """Wait until `check()` is true or returns something; fail with what it last returned."""
        deadline = time.monotonic() + seconds
        while not (found := check()):
            if time.monotonic() > deadline:
                pytest.fail(f"not so within {seconds} s; last seen: {found!r}")
            await asyncio.sleep(0.01)
        return found

    async def settle(self):
        """Give every controller its turn until nothing is written any more."""
        before = -1
        while before != self.registry.store.revision:
            before = self.registry.store.revision
            await asyncio.sleep(0.05)

    def is_complete(self, name):
        """Whether a Deployment has all its pods, updated and available, and no old ones."""
        deployment = self.find("deployments", name)
        status, wanted = deployment["status"], deployment["spec"]["replicas"]
        is_observed = status.get("observedGeneration") == deployment["metadata"]["generation"]
        counts = ("replicas", "updatedReplicas", "availableReplicas")
        return is_observed and all(status.get(c, 0) == wanted for c in counts)

    def condition(self, plural, name, kind, namespace="default"):
        found = self.find(plural, name, namespace)["status"].get("conditions") or []
        return next((one for one in found if one["type"] == kind), {})

    def images(self):
        return sorted(pod["spec"]["containers"][0]["image"] for pod in self.list("pods"))

    def resource(self, plural):
        return next(one for one in self.registry.resources if one.plural == plural)

    def find(self, plural, name, namespace="default"):
        return self.registry.find(self.resource(plural), namespace, name)

    def list(self, plural, namespace="default", **selectors):
        return self.registry.list(self.resource(plural), namespace, **selectors)

    def make(self, plural, name, namespace="default", **parts):
        resource = self.resource(plural)
        metadata = {"name": name, **parts.pop("metadata", {})}
        if resource.namespaced:
            metadata["namespace"] = namespace
        kind = {"apiVersion": resource.api_version, "kind": resource.kind}
        obj = {**kind, "metadata": metadata, **parts}
        return self.registry.create(resource, metadata.get("namespace"), obj)

    def patch(self, plural, name, body, namespace="default", subresource=None):
        resource = self.resource(plural)
        space = namespace if resource.namespaced else None
        return self.registry.patch(resource, space, name, body, subresource=subresource)

    def delete(self, plural, name, namespace="default", **options):
        resource = self.resource(plural)
        space = namespace if resource.namespaced else None
        return self.registry.delete(resource, space, name, options=options)

    def events(self, reason):
        return [event["message"] for event in self.list("events") if event["reason"] == reason]

    def node(self, name, *, zone="z1", cpu="4", taints=None, **spec):
        labels = {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone}
        amounts = {"cpu": cpu, "memory": "8Gi", "pods": "110"}
        now = times.stamp()
        ready = {"type": "Ready", "status": "True", "lastHeartbeatTime": now}
        return self.make(
            "nodes",
            name,
            metadata={"labels": labels},
            spec={**({"taints": taints} if taints else {}), **spec},
            status={"capacity": amounts, "allocatable": amounts, "conditions": [ready]},
        )

    def deployment(self, name, replicas=2, image="app:1", template_spec=None, **spec):
        """A Deployment with the defaults that an API server fills in."""
        return self.make(
            "deployments",
            name,
            spec={
                "replicas": replicas,
                "selector": {"matchLabels": {"app": name}},
                "revisionHistoryLimit": 10,
                "progressDeadlineSeconds": 600,
                "strategy": {
                    "type": "RollingUpdate",
                    "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
                },
                **spec,
                "template": self.template(name, image, **(template_spec or {})),
            },
        )

    def set_image(self, name, image):
        body = {"spec": {"template": self.template(name, image)}}
        return self.patch("deployments", name, body)

    @staticmethod
    def template(name, image="app:1", **spec):
        container = {"name": "c", "image": image, "ports": [{"name": "http", "containerPort": 80}]}
        return {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [container], "restartPolicy": "Always", **spec},
        }

    def _measure(self, _namespace, pod):
        usage = self.usage.get(pod)
        return usage and metrics.Reading(times.now(), 0.0, {"c": usage})

    async def _run_kubelet(self):
        async for event in self.registry.watch(self.resource("pods")):
            pod = event.object
            node = pod["spec"].get("nodeName")
            if event.type == "DELETED" or not node or node in self.silent:
                continue
            try:
                self._tend(pod)
            except errors.StatusError as error:
                if error.code not in (404, 409):
                    raise

    def _tend(self, pod):
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        if "deletionTimestamp" in pod["metadata"]:
            self.delete("pods", name, namespace, gracePeriodSeconds=0)
        elif pod.get("status", {}).get("phase") == "Pending" and self.ready_kubelets:
            self.say_running(pod)

    def say_running(self, pod, *, ready=True):
        """Write a running pod's status as a kubelet does."""
        now = times.stamp()
        present = pod["status"].get("conditions") or []
        added = [{"type": t, "status": str(ready), "lastTransitionTime": now} for t in READY]
        status = {
            **pod["status"],
            "phase": "Running",
            "startTime": pod["status"].get("startTime", now),
            "podIP": str(next(self._addresses)),
            "conditions": [c for c in present if c["type"] not in READY] + added,
        }
        return self.access.write_status(self.resource("pods"), pod, status)


@pytest.fixture
async def world():
    """A running cluster with three nodes in three zones."""
    made = World()
    await made.start()
    for index in (1, 2, 3):
        made.node(f"node-{index}", zone=f"z{index}")
    yield made
    await made.stop()


@pytest.fixture
def make_world():
    """Makes the world of a served cluster: its registry and a kubelet, no controllers."""

    def make(served):
        made = World(served)
        made.start_kubelet()
        return made

    return make
