"""The sandbox answers Terraform's azurerm call by call, for every resource of `walks/`."""

import pathlib
import re

import azurerm_walk
import pytest
import requests
import yaml

WALKS = pathlib.Path(__file__).parent / "walks"
MODULES = pathlib.Path(__file__).parents[3] / "infra/modules"


def _resources():
    return [
        pytest.param(resource, id=f"{path.stem}-{resource['name']}")
        for path in sorted(WALKS.glob("*.yaml"))
        for resource in yaml.safe_load(path.read_text())["resources"]
    ]


def test_every_type_of_the_modules_is_walked():
    """A new resource in infra/modules needs a walk; its place is the file of its family."""
    text = "".join(path.read_text() for path in MODULES.rglob("*.tf"))
    used = set(re.findall(r'^resource "(azurerm_\w+)"', text, re.MULTILINE))
    walked = {one.values[0]["name"].partition("-")[0] for one in _resources()}
    assert used
    assert used - walked == set()


@pytest.fixture(scope="module")
def session(module_lab):
    """A client with a token, as the provider has one."""
    config, url = module_lab.settings, module_lab.server.url
    with requests.Session() as session:
        session.trust_env, session.verify = False, module_lab.ca_file
        session.headers["User-Agent"] = "HashiCorp/go-azure-sdk (Go-http-Client/1.1)"
        answer = session.post(
            f"{url}/{config.tenant_id}/oauth2/v2.0/token",
            data={
                "client_id": config.client_id,
                "client_secret": config.client_secret,
                "grant_type": "client_credentials",
                "scope": "https://management.azure.com/.default",
            },
        )
        session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield session


@pytest.mark.parametrize("resource", _resources())
def test_azurerm_walks_through_a_resource(resource, module_lab, session):
    """Each call has the status, the way of waiting and the fields that the provider needs."""
    config = module_lab.settings
    group = f"{module_lab.subscription}/resourceGroups/rg-{resource['name']}"
    player = azurerm_walk.Player(
        session,
        module_lab.server.url,
        resource["api"],
        {
            "group": group,
            "subscription": module_lab.subscription,
            "tenant": config.tenant_id,
            "client": config.client_id,
        },
    )
    if resource["name"] != "azurerm_resource_group":
        body = {"location": "eastus"}
        player.prepare({"put": "{group}", "api": "2023-07-01", "body": body})
    for given in resource.get("given", []):
        player.prepare(given)
    for place, step in enumerate(resource["steps"], 1):
        try:
            player.play(step)
        except AssertionError as error:
            raise AssertionError(f"{place}. {step['call']} ({step['why']}): {error}") from error
