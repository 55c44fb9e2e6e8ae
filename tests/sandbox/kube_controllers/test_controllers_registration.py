"""What charts register and expect to be filled in: APIServices, aggregated roles, token Secrets."""

import base64

SERVICE = {"name": "adapter", "namespace": "default", "port": 443}


def available(world, name):
    return world.condition("apiservices", name, "Available", None)


async def test_an_api_of_a_chart_says_why_it_is_not_available(world):
    """No service, no endpoints, and then that nothing is forwarded to other servers."""
    spec = {"group": "custom.example", "version": "v1", "service": SERVICE}
    priority = {"groupPriorityMinimum": 100, "versionPriority": 100}
    world.make("apiservices", "v1.custom.example", spec={**spec, **priority})
    await world.until(
        lambda: available(world, "v1.custom.example").get("reason") == "ServiceNotFound"
    )
    ports = [{"port": 443, "targetPort": 80}]
    world.make("services", "adapter", spec={"selector": {"app": "adapter"}, "ports": ports})
    await world.until(
        lambda: available(world, "v1.custom.example").get("reason") == "MissingEndpoints"
    )
    world.deployment("adapter")
    await world.until(
        lambda: available(world, "v1.custom.example").get("reason") == "FailedDiscoveryCheck"
    )
    assert available(world, "v1.custom.example")["status"] == "False"


async def test_the_api_of_a_definition_is_registered_and_goes_with_it(world):
    """A custom resource's version is a local APIService, always available."""
    version = {"name": "v1", "served": True, "storage": True}
    version["schema"] = {"openAPIV3Schema": {"type": "object"}}
    names = {"kind": "Thing", "plural": "things", "singular": "thing", "listKind": "ThingList"}
    spec = {"group": "x.example", "scope": "Cluster", "names": names, "versions": [version]}
    world.make("customresourcedefinitions", "things.x.example", spec=spec)
    await world.until(lambda: world.find("apiservices", "v1.x.example", None))
    assert available(world, "v1.x.example")["reason"] == "Local"
    world.delete("customresourcedefinitions", "things.x.example")
    await world.until(lambda: world.find("apiservices", "v1.x.example", None) is None)


async def test_an_aggregated_role_has_the_rules_of_what_it_selects(world):
    """A chart's role with the label of `edit` is part of it, and no longer when it is deleted."""
    rule = {"apiGroups": ["x.example"], "resources": ["things"], "verbs": ["get"]}
    labels = {"rbac.authorization.k8s.io/aggregate-to-edit": "true"}
    world.make("clusterroles", "things-edit", metadata={"labels": labels}, rules=[rule])
    await world.until(lambda: rule in world.find("clusterroles", "edit", None)["rules"])
    world.delete("clusterroles", "things-edit")
    await world.until(lambda: rule not in world.find("clusterroles", "edit", None)["rules"])


async def test_a_token_secret_is_filled_and_goes_with_its_account(world):
    """Data and uid of the account are written; without the account the Secret is deleted."""
    world.make("serviceaccounts", "robot")
    annotations = {"kubernetes.io/service-account.name": "robot"}
    kind = "kubernetes.io/service-account-token"
    world.make("secrets", "robot-token", metadata={"annotations": annotations}, type=kind)
    await world.until(lambda: "token" in (world.find("secrets", "robot-token").get("data") or {}))
    data = world.find("secrets", "robot-token")["data"]
    assert base64.b64decode(data["token"]) == b"token of robot"
    assert base64.b64decode(data["namespace"]) == b"default"
    world.delete("serviceaccounts", "robot")
    await world.until(lambda: world.find("secrets", "robot-token") is None)
