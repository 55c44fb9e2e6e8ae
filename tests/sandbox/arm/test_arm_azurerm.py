"""How azurerm finds its way into a cloud it was not built for; what it asks then: see `walks/`."""

import requests


def test_azurerm_finds_its_way_in(lab):
    """From a host and port alone: the cloud, a token at its login endpoint, the subscription."""

    def ask(url, method="GET", **options):
        answer = requests.request(method, url, verify=lab.ca_file, timeout=10, **options)
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"].startswith("application/json")
        return answer.json()

    host = lab.server.url.removeprefix("https://")
    cloud = ask(f"https://{host}/metadata/endpoints?api-version=2022-09-01")
    assert all(cloud[key] for key in ("name", "resourceManager", "microsoftGraphResourceId"))
    login = f"{cloud['authentication']['loginEndpoint']}/{lab.settings.tenant_id}"
    # One token for the resource manager, one to read the claims of.
    for scope in (cloud["authentication"]["audiences"][0], cloud["microsoftGraphResourceId"]):
        form = {
            "client_id": lab.settings.client_id,
            "client_secret": lab.settings.client_secret,
            "grant_type": "client_credentials",
            "scope": f"{scope.rstrip('/')}/.default",
        }
        token = ask(f"{login}/oauth2/v2.0/token", "POST", data=form)
        assert token["token_type"] == "Bearer"
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    base = f"{cloud['resourceManager']}{lab.subscription}"
    found = ask(f"{base}?api-version=2022-12-01", headers=headers)
    assert found["tenantId"] == lab.settings.tenant_id
    providers, version = f"{base}/providers", "?api-version=2022-09-01"
    listed = ask(f"{providers}{version}", headers=headers)["value"]
    assert {one["namespace"] for one in listed} >= {
        "Microsoft.Network", "Microsoft.ContainerService", "Microsoft.Cdn", "Microsoft.Storage",
        "Microsoft.Cache", "Microsoft.DBforPostgreSQL", "Microsoft.ManagedIdentity",
    }  # fmt: skip
    assert all(one["registrationState"] for one in listed)
    # Only if the provider's configuration asks for a registration.
    ask(f"{providers}/Microsoft.Network/register{version}", "POST", headers=headers)
    registered = ask(f"{providers}/Microsoft.Network{version}", headers=headers)
    assert registered["registrationState"] == "Registered"
