"""ARM resources in, the edge's configuration out."""

import copy

import pytest

from azrunbook.sandbox.edge import config

PROFILE = "/subscriptions/S/resourceGroups/rg/providers/Microsoft.Cdn/profiles/fd"
GROUP = f"{PROFILE}/originGroups/og"
ORIGIN = f"{GROUP}/origins/east"
ENDPOINT = f"{PROFILE}/afdEndpoints/shop"
ROUTE = f"{ENDPOINT}/routes/all"
DOMAIN = f"{PROFILE}/customDomains/www"


def resource(resource_id, kind, **properties):
    return {
        "id": resource_id,
        "name": resource_id.rpartition("/")[2],
        "type": f"Microsoft.Cdn/{kind}",
        "properties": {"provisioningState": "Succeeded", **properties},
    }


@pytest.fixture
def resources():
    """One Front Door by id, with as little said as the API allows."""
    listed = [
        resource(PROFILE, "profiles", frontDoorId="fdid"),
        resource(ENDPOINT, "profiles/afdEndpoints", hostName="Shop.azurefd.net"),
        resource(DOMAIN, "profiles/customDomains", hostName="www.example.com"),
        resource(GROUP, "profiles/originGroups", healthProbeSettings={}),
        resource(ORIGIN, "profiles/originGroups/origins", hostName="east.example"),
        resource(
            ROUTE,
            "profiles/afdEndpoints/routes",
            originGroup={"id": GROUP.upper()},
            linkToDefaultDomain="Enabled",
            customDomains=[{"id": DOMAIN}],
        ),
    ]
    return {one["id"]: one for one in listed}


def read(resources):
    return config.edge_config(copy.deepcopy(list(resources.values())))


def test_what_is_not_said_is_as_front_door_assumes(resources):
    """The defaults of route, group and origin."""
    edge = read(resources)
    [route], [group] = edge.routes, edge.groups.values()
    [origin] = group.origins
    assert route.hosts == ("shop.azurefd.net", "www.example.com")
    assert route.patterns == ("/*",)
    assert (route.accepts_http, route.accepts_https, route.redirects_to_https) == (
        True,
        True,
        False,
    )
    assert (route.forwarding, route.response_timeout_seconds) == ("MatchRequest", 30)
    assert route.front_door_id == "fdid"
    assert group.balancing == config.Balancing(4, 3, 0.05)
    assert (origin.http_port, origin.https_port) == (80, 443)
    assert (origin.priority, origin.weight, origin.host_header) == (1, 50, None)
    assert origin.checks_certificate_name


def test_what_is_said_is_taken(resources):
    """Settings of probe, balancing and profile arrive in seconds."""
    resources[PROFILE]["properties"]["originResponseTimeoutSeconds"] = 60
    resources[GROUP]["properties"] |= {
        "healthProbeSettings": {
            "probePath": "/healthz",
            "probeRequestType": "GET",
            "probeProtocol": "Https",
            "probeIntervalInSeconds": 5,
        },
        "loadBalancingSettings": {
            "sampleSize": 16,
            "successfulSamplesRequired": 2,
            "additionalLatencyInMilliseconds": 0,
        },
    }
    edge = read(resources)
    [group] = edge.groups.values()
    assert group.probe == config.Probe("/healthz", "GET", is_https=True, interval_seconds=5)
    assert group.balancing == config.Balancing(16, 2, 0)
    assert edge.routes[0].response_timeout_seconds == 60


@pytest.mark.parametrize("absent", [None, {"probeProtocol": "NotSet"}])
def test_a_group_may_have_no_probe(resources, absent):
    """Probes can be switched off."""
    resources[GROUP]["properties"]["healthProbeSettings"] = absent
    [group] = read(resources).groups.values()
    assert group.probe is None


@pytest.mark.parametrize("missing", [PROFILE, ENDPOINT, ROUTE, GROUP])
@pytest.mark.parametrize("state", ["Creating", "Failed", None])
def test_without_any_link_of_the_chain_nothing_is_served(resources, missing, state):
    """Only what ARM has accepted takes part, and a route needs all that it stands on."""
    resources[missing]["properties"]["provisioningState"] = state
    assert read(resources).routes == ()


@pytest.mark.parametrize("disabled", [ENDPOINT, ROUTE])
def test_a_disabled_endpoint_or_route_serves_nothing(resources, disabled):
    """`enabledState` takes it out."""
    resources[disabled]["properties"]["enabledState"] = "Disabled"
    assert read(resources).routes == ()


def test_a_disabled_origin_stays_in_its_group_marked(resources):
    """So that it can be shown; routing passes it over."""
    resources[ORIGIN]["properties"]["enabledState"] = "Disabled"
    [group] = read(resources).groups.values()
    assert [origin.is_enabled for origin in group.origins] == [False]


def test_a_domain_that_is_not_accepted_is_left_out(resources):
    """The route goes on with its other hosts."""
    resources[DOMAIN]["properties"]["provisioningState"] = "Creating"
    assert read(resources).routes[0].hosts == ("shop.azurefd.net",)


def test_a_route_may_leave_the_default_domain_out(resources):
    """`linkToDefaultDomain` off leaves the custom domains."""
    resources[ROUTE]["properties"]["linkToDefaultDomain"] = "Disabled"
    assert read(resources).routes[0].hosts == ("www.example.com",)


def test_ids_and_types_are_compared_without_letter_case(resources):
    """ARM spells them differently from call to call."""
    for one in resources.values():
        one["type"] = one["type"].upper()
    resources[ORIGIN]["id"] = ORIGIN.lower()
    edge = read(resources)
    assert [origin.name for group in edge.groups.values() for origin in group.origins] == ["east"]
    assert edge.routes[0].group_id in edge.groups


def test_other_resources_are_passed_over(resources):
    """The store holds the whole estate; networks mean nothing here, whatever their shape."""
    resources["/x"] = {"id": "/x", "name": "x", "type": "Microsoft.Network/virtualNetworks"}
    assert len(read(resources).routes) == 1


@pytest.mark.parametrize("state", ["Updating", "Failed", "Deleting"])
def test_a_deployment_keeps_the_version_before_until_the_new_one_is_accepted(resources, state):
    """A change in progress neither acts nor takes the origin out."""
    deployment = config.Deployment()
    before = deployment.take(copy.deepcopy(list(resources.values())))
    resources[ORIGIN]["properties"] |= {"weight": 7, "provisioningState": state}
    assert deployment.take(copy.deepcopy(list(resources.values()))) == before
    resources[ORIGIN]["properties"]["provisioningState"] = "Succeeded"
    [group] = deployment.take(resources.values()).groups.values()
    assert group.origins[0].weight == 7


def test_a_deployment_drops_what_is_gone(resources):
    """And does not bring it back while it is created anew."""
    deployment = config.Deployment()
    deployment.take(resources.values())
    origin = resources.pop(ORIGIN)
    [group] = deployment.take(resources.values()).groups.values()
    assert group.origins == ()
    origin["properties"]["provisioningState"] = "Creating"
    [group] = deployment.take([*resources.values(), origin]).groups.values()
    assert group.origins == ()


def test_the_order_of_the_resources_does_not_matter(resources):
    """The same store gives the same configuration, so that nothing is propagated for nothing."""
    backwards = config.edge_config(reversed(list(resources.values())))
    assert backwards == read(resources)
