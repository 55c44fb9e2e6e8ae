"""Endpoints and their slices: those of pods, and those that someone writes."""

NAME, MANAGER = "kubernetes.io/service-name", "endpointslice.kubernetes.io/managed-by"


def slices(world, name="db"):
    return world.list("endpointslices", label_selector=f"{NAME}={name}")


def hand_made(world, *addresses, ready=True, **metadata):
    """A Service without a selector and the Endpoints that someone wrote for it."""
    world.make("services", "db", spec={"ports": [{"port": 5432}]})
    field = "addresses" if ready else "notReadyAddresses"
    subset = {field: [{"ip": one} for one in addresses], "ports": [{"port": 5432, "name": "pg"}]}
    return world.make("endpoints", "db", subsets=[subset], metadata=metadata)


async def test_endpoints_written_by_hand_are_mirrored(world):
    """A slice of the mirroring controller follows the Endpoints, and goes with them."""
    made = hand_made(world, "10.1.0.4", "10.1.0.5", labels={"team": "a"})
    (found,) = await world.until(lambda: slices(world))
    assert found["metadata"]["labels"] == {
        "team": "a",
        NAME: "db",
        MANAGER: "endpointslicemirroring-controller.k8s.io",
    }
    assert found["ports"] == [{"name": "pg", "port": 5432, "protocol": "TCP"}]
    assert [(e["addresses"], e["conditions"]) for e in found["endpoints"]] == [
        (["10.1.0.4"], {"ready": True}),
        (["10.1.0.5"], {"ready": True}),
    ]
    subset = {**made["subsets"][0], "addresses": [{"ip": "10.1.0.9"}]}
    world.patch("endpoints", "db", {"subsets": [subset]})
    await world.until(lambda: slices(world)[0]["endpoints"][0]["addresses"] == ["10.1.0.9"])
    world.delete("endpoints", "db")
    await world.until(lambda: not slices(world))


async def test_addresses_that_are_not_ready_are_mirrored_as_such(world):
    """The slice has them, not ready."""
    hand_made(world, "10.1.0.4", ready=False)
    (found,) = await world.until(lambda: slices(world))
    assert found["endpoints"][0]["conditions"] == {"ready": False}


async def test_endpoints_that_ask_not_to_be_mirrored_are_left(world):
    """With the label there is no slice, nor for the controller's own Endpoints."""
    hand_made(world, "10.1.0.4", labels={"endpointslice.kubernetes.io/skip-mirror": "true"})
    world.make("services", "web", spec={"selector": {"app": "web"}, "ports": [{"port": 80}]})
    world.deployment("web")
    await world.until(lambda: world.is_complete("web"))
    await world.settle()
    assert slices(world) == []
    (found,) = slices(world, "web")
    assert found["metadata"]["labels"][MANAGER] == "endpointslice-controller.k8s.io"


async def test_service_that_starts_to_select_gets_slices_of_its_pods(world):
    """The mirrored slice goes when a selector takes its place."""
    hand_made(world, "10.1.0.4")
    await world.until(lambda: slices(world))
    world.patch("services", "db", {"spec": {"selector": {"app": "web"}}})
    await world.until(
        lambda: (
            [one["metadata"]["labels"][MANAGER] for one in slices(world)]
            == ["endpointslice-controller.k8s.io"]
        )
    )


async def test_headless_service_publishes_what_is_not_ready(world):
    """With publishNotReadyAddresses a pod is ready in the slice and in Endpoints, not serving."""
    spec = {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": {"app": "web"}}
    world.make("services", "web", spec={**spec, "ports": [{"port": 80}]})
    world.deployment("web", replicas=1)
    await world.until(lambda: world.is_complete("web"))
    world.say_running(world.list("pods")[0], ready=False)
    await world.until(
        lambda: (
            slices(world, "web")[0]["endpoints"][0]["conditions"]
            == {"ready": True, "serving": False, "terminating": False}
        )
    )
    assert slices(world, "web")[0]["metadata"]["labels"]["service.kubernetes.io/headless"] == ""
    (subset,) = world.find("endpoints", "web")["subsets"]
    assert len(subset["addresses"]) == 1
