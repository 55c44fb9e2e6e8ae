"""Resource quotas: their status follows what the namespace holds."""

HARD = {"configmaps": "5", "services.nodeports": "2", "count/ingresses.networking.k8s.io": "1"}


def used(world):
    return (world.find("resourcequotas", "q").get("status") or {}).get("used")


async def test_quota_says_what_is_used(world):
    """Of every resource that it names, from the start, and again with every change."""
    world.make("resourcequotas", "q", spec={"hard": HARD})
    await world.until(lambda: used(world) and used(world)["configmaps"] == "1")  # the CA bundle
    world.make("configmaps", "c")
    world.make("services", "s", spec={"type": "NodePort", "ports": [{"port": 80}]})
    await world.until(
        lambda: (
            used(world)
            == {
                "configmaps": "2",
                "services.nodeports": "1",
                "count/ingresses.networking.k8s.io": "0",
            }
        )
    )
    world.delete("configmaps", "c")
    await world.until(lambda: used(world)["configmaps"] == "1")
    assert world.find("resourcequotas", "q")["status"]["hard"] == HARD
