"""Probes, failover, failback and propagation, with intervals of a tenth of a second."""

import asyncio

import edge_site
import pytest

PRIMARY = edge_site.region("east")
STANDBY = edge_site.region("west", priority=2)


@pytest.fixture
async def two_regions(make_origin, make_site):
    """East serves, west stands by; both are healthy."""
    site = await make_site(await make_origin("east"), await make_origin("west"))
    site.edge.configure(edge_site.configured(PRIMARY, STANDBY))
    await site.until_healthy("east")
    await site.until_healthy("west")
    return site


async def test_the_standby_gets_no_traffic_while_the_primary_is_healthy(two_regions):
    """Priority decides before anything else."""
    assert {await two_regions.serving() for _ in range(20)} == {"east"}


async def test_traffic_fails_over_and_back_with_the_probes(two_regions):
    """A region that answers its probes with 503 loses its traffic, and gets it back with 200."""
    east = two_regions.origins["east"]
    east.health = 503
    await two_regions.until_healthy("east", healthy=False)
    assert await two_regions.serving() == "west"
    east.health = 200
    await two_regions.until_healthy("east")
    assert await two_regions.serving() == "east"
    changes = [
        (t["origin"], t["is_healthy"], t["result"])
        for t in two_regions.edge.status()["transitions"]
    ]
    assert changes[-2:] == [("east", False, "503"), ("east", True, "200")]


async def test_clients_get_503_until_the_probes_have_spoken(two_regions):
    """A dead primary keeps its traffic until it is detected: requests are not moved."""
    await two_regions.origins["east"].stop()
    assert await two_regions.serving() == 503
    await two_regions.until_healthy("east", healthy=False)
    assert await two_regions.serving() == "west"


@pytest.mark.parametrize(("sample_size", "required"), [(4, 3), (2, 2), (5, 1)])
async def test_detection_takes_the_predicted_number_of_probes(
    make_origin, make_site, sample_size, required
):
    """Unhealthy by the (n - x + 1)th bad sample, healthy by the xth good one."""
    origin = await make_origin("east")
    site = await make_site(origin)
    balancing = {"sampleSize": sample_size, "successfulSamplesRequired": required}
    site.edge.configure(edge_site.configured(PRIMARY, balancing=balancing))
    await site.until_healthy("east")
    assert len(origin.probes) == required
    await edge_site.wait_until(lambda: site.origin_status("east")["samples"] == sample_size)
    origin.health, before = 500, len(origin.probes)
    await site.until_healthy("east", healthy=False)
    assert len(origin.probes) - before == sample_size - required + 1


async def test_detection_time_is_a_whole_number_of_intervals(make_origin, make_site):
    """From the outage to the transition: more than n - x intervals, at most n - x + 1."""
    east, loop, interval_seconds = await make_origin("east"), asyncio.get_running_loop(), 0.5
    site = await make_site(east)
    probe = {"probeIntervalInSeconds": interval_seconds}
    site.edge.configure(edge_site.configured(PRIMARY, probe=probe))
    await edge_site.wait_until(lambda: len(east.probes) == 4)
    await edge_site.wait_until(lambda: site.origin_status("east")["samples"] == 4)
    east.is_up, started = False, loop.time()
    await site.until_healthy("east", healthy=False)
    intervals = (loop.time() - started) / interval_seconds
    assert 1.5 < intervals < 2.9  # on the heels of a probe: two whole intervals


async def test_probes_are_front_door_s(two_regions):
    """HEAD on the probe path, with Front Door's user agent and the origin's host."""
    probe = two_regions.origins["east"].probes[0]
    assert (probe.method, probe.path) == ("HEAD", "/health")
    assert probe.headers["User-Agent"] == "Edge Health Probe"
    assert probe.headers["Host"] == "east.example"


async def test_every_probe_has_a_connection_of_its_own(make_origin, make_site):
    """So that a kept connection hides nothing, and latencies can be compared."""
    east = await make_origin("east")
    site = await make_site(east)
    site.edge.configure(edge_site.configured(PRIMARY, probe={"probeRequestType": "GET"}))
    await site.until_healthy("east")
    assert {probe.method for probe in east.probes} == {"GET"}
    assert len({id(probe.protocol) for probe in east.probes}) == len(east.probes)


async def test_a_probe_without_answer_counts_as_bad(make_origin, make_raw_origin, make_site):
    """An origin that accepts and says nothing is unhealthy, and the probe gives its time up."""
    site = await make_site(await make_origin("east"), await make_origin("west"))
    site.edge.configure(edge_site.configured(PRIMARY, STANDBY))
    await site.until_healthy("east")
    site.origins["east"].port, _ = await make_raw_origin()
    await site.until_healthy("east", healthy=False)
    assert site.origin_status("east")["last_result"] == "OriginTimeout"


async def test_all_are_used_when_none_is_healthy(two_regions):
    """A wrong probe must not take a working site down."""
    for origin in two_regions.origins.values():
        origin.health = 404
    await two_regions.until_healthy("east", healthy=False)
    await two_regions.until_healthy("west", healthy=False)
    assert {await two_regions.serving() for _ in range(4)} == {"east", "west"}


async def test_a_disabled_origin_gets_neither_traffic_nor_probes(two_regions):
    """Disabling the primary through ARM moves the traffic without an error."""
    disabled = edge_site.region("east", enabledState="Disabled")
    two_regions.edge.configure(edge_site.configured(disabled, STANDBY))
    assert await two_regions.serving() == "west"
    probes = len(two_regions.origins["east"].probes)
    west = len(two_regions.origins["west"].probes)
    await edge_site.wait_until(lambda: len(two_regions.origins["west"].probes) > west + 2)
    assert len(two_regions.origins["east"].probes) <= probes + 1


async def test_a_re_enabled_origin_waits_for_its_samples(two_regions):
    """It starts without samples: x good probes come before the first request."""
    disabled = edge_site.region("east", enabledState="Disabled")
    two_regions.edge.configure(edge_site.configured(disabled, STANDBY))
    probes = len(two_regions.origins["east"].probes)
    two_regions.edge.configure(edge_site.configured(PRIMARY, STANDBY))
    assert await two_regions.serving() == "west"
    await two_regions.until_healthy("east")
    assert len(two_regions.origins["east"].probes) >= probes + 3
    assert await two_regions.serving() == "east"


async def test_a_change_of_weight_keeps_the_samples(two_regions):
    """Health is lost only when what is probed, or how, changes."""
    east = edge_site.region("east", weight=10)
    west = edge_site.region("west", weight=30)
    two_regions.edge.configure(edge_site.configured(east, west))
    assert two_regions.origin_status("east")["is_healthy"]
    served = [await two_regions.serving() for _ in range(40)]
    assert (served.count("east"), served.count("west")) == (10, 30)


async def test_a_configuration_acts_after_its_propagation(make_origin, make_site):
    """Until then the edge goes on with the one before; changes act in their order."""
    site = await make_site(
        await make_origin("east"), await make_origin("west"), propagation_seconds=0.3
    )
    site.edge.configure(edge_site.configured(edge_site.region("east")))
    assert site.edge.status()["is_propagating"]
    assert await site.serving() == 404
    await edge_site.wait_until(lambda: not site.edge.status()["is_propagating"])
    assert await site.serving() == "east"
    site.edge.configure(edge_site.configured(edge_site.region("west")))
    assert await site.serving() == "east"
    await edge_site.wait_until(lambda: not site.edge.status()["is_propagating"])
    assert await site.serving() == "west"


async def test_an_unchanged_configuration_is_not_propagated_again(make_origin, make_site):
    """The store tells of every write; most of them change nothing here."""
    site = await make_site(await make_origin("east"), propagation_seconds=0.05)
    site.edge.configure(edge_site.configured(PRIMARY))
    await edge_site.wait_until(lambda: not site.edge.status()["is_propagating"])
    site.edge.configure(edge_site.configured(PRIMARY))
    assert not site.edge.status()["is_propagating"]


async def test_a_restarted_edge_serves_what_it_was_given_meanwhile(make_origin, make_site):
    """Configurations are taken while it does not listen; probes start with it."""
    site = await make_site(await make_origin("east"), await make_origin("west"))
    await site.edge.stop()
    site.edge.configure(edge_site.configured(STANDBY))
    await site.edge.start()
    await site.until_healthy("west")
    assert await site.serving() == "west"


async def test_nothing_is_left_after_stop(make_origin, make_site):
    """Stopping ends listeners, probes and pending changes."""
    origin = await make_origin("east")
    site = await make_site(origin, propagation_seconds=0.1)
    site.edge.configure(edge_site.configured(PRIMARY))
    await site.edge.stop()
    assert not site.edge.status()["is_propagating"]
    assert await edge_site.until_steady(lambda: site.edge.status()["hosts"]) == []
    names = {task.get_name() for task in asyncio.all_tasks()}
    assert not [name for name in names if name.startswith("probe")]
    with pytest.raises(edge_site.aiohttp.ClientConnectorError):
        await site.serving()
