"""Route matching, refusals and the coverage table."""

import re

import pytest

from azrunbook.sandbox import arm, tls
from azrunbook.sandbox.arm import errors, routing

ONE = f"{routing.GROUP}/providers/Microsoft.X/things/{{thingName}}"


@pytest.fixture
def table():
    """A small table with a literal beside a parameter."""

    def route(method, template, operation):
        return routing.Route(method, template, operation, lambda _: routing.Answer(200), ("1", "2"))

    return routing.RouteTable(
        [
            route("GET", ONE, "Things_Get"),
            route("PUT", ONE, "Things_Put"),
            route("GET", f"{routing.GROUP}/providers/Microsoft.X/things/special", "Things_Special"),
        ]
    )


@pytest.mark.parametrize(
    ("method", "name", "operation"),
    [
        ("GET", "a", "Things_Get"),
        ("HEAD", "a", "Things_Get"),
        ("PUT", "a", "Things_Put"),
        ("GET", "special", "Things_Special"),
    ],
)
def test_a_path_matches_in_any_letter_case(table, method, name, operation):
    """Literals win over parameters, HEAD is served by GET, names keep their case."""
    path = f"/SUBSCRIPTIONS/s/resourcegroups/G/Providers/microsoft.x/THINGS/{name}/"
    route, parameters = table.match(method, path)
    assert route.operation == operation
    assert parameters["resourceGroupName"] == "G"


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        (
            "POST",
            (
                "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService"
                "/managedClusters/c/rotate"
            ),
            (
                "POST Microsoft.ContainerService/managedClusters/rotate is not emulated. Emulated "
                "operations: azrunbook/sandbox/arm/providers/container_service.py; add a Route "
                "there."
            ),
        ),
        (
            "DELETE",
            "/tenants",
            (
                "DELETE /tenants is not emulated. Emulated operations: "
                "azrunbook/sandbox/arm/providers/resources.py; add a Route there."
            ),
        ),
    ],
)
def test_what_is_missing_names_its_file(table, method, path, message):
    """The 404 says what was asked and where to add it."""
    with pytest.raises(errors.ArmError) as missing:
        table.match(method, path)
    assert (missing.value.status, missing.value.message) == (404, message)


def test_a_template_gives_the_canonical_spelling():
    """The template's own case, the caller's names."""
    values = {"subscriptionId": "s", "resourceGroupName": "Rg", "thingName": "One"}
    assert routing.fill(ONE, values) == (
        "/subscriptions/s/resourceGroups/Rg/providers/Microsoft.X/things/One"
    )


def test_an_unknown_api_version_lists_those_known(table):
    """The refusal is the documentation."""
    route, _ = table.match(
        "GET",
        routing.fill(ONE, dict.fromkeys(["subscriptionId", "resourceGroupName", "thingName"], "a")),
    )
    route.check_api_version("2")
    with pytest.raises(errors.ArmError, match="1,2"):
        route.check_api_version("3")


def test_coverage_lists_every_route_once():
    """Each operation of the server is a row, in order, with versions that are dates."""
    settings = arm.ArmSettings("127.0.0.1", 0, "t", "s", "c", "x")
    server = arm.ArmServer(settings, tls.Authority(), arm.Backends(None, None))
    rows = arm.list_coverage(server.routes)
    assert len(rows) == len(server.routes)
    assert rows == sorted(rows, key=lambda row: (row.provider, row.operation, row.method, row.path))
    assert {"ManagedClusters_Stop", "AFDOrigins_Update", "Registries_ScheduleRun"} <= {
        row.operation for row in rows
    }
    versions = {version for row in rows for version in row.api_versions}
    assert all(re.fullmatch(r"20\d\d-\d\d-\d\d(-preview)?", version) for version in versions)
