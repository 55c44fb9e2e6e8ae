"""What a network finds: private records, aliases, virtual endpoints, public access."""

import pytest

from azrunbook.sandbox.data import names

SERVICES = {
    "pg-east.postgres.database.azure.com": "127.9.3.1",
    "app.writer.postgres.database.azure.com": "127.9.3.1",
    "amr.eastus.redis.azure.net": "127.9.4.1",
    "staz.blob.core.windows.net": "127.9.6.2",
}
ENDPOINTS = {
    "10.1.2.4": "pg-east.postgres.database.azure.com",
    "10.1.2.5": "amr.eastus.redis.azure.net",
    "10.1.2.6": "staz.blob.core.windows.net",
}


@pytest.mark.parametrize(
    ("records", "public", "expected"),
    [
        pytest.param({}, (), {}, id="no zone, no name"),
        pytest.param(
            {"PG-East.privatelink.postgres.database.azure.com.": ["10.1.2.4"]},
            (),
            {
                "pg-east.privatelink.postgres.database.azure.com": "127.9.3.1",
                "pg-east.postgres.database.azure.com": "127.9.3.1",
                "app.writer.postgres.database.azure.com": "127.9.3.1",
            },
            id="a record gives the alias, the name and the virtual endpoint",
        ),
        pytest.param(
            {"pg-east.privatelink.postgres.database.azure.com": ["10.9.9.9"]},
            (),
            {},
            id="a record that leads to no endpoint gives nothing",
        ),
        pytest.param(
            {"amr.eastus.privatelink.redis.azure.net": ["10.1.2.5"]},
            (),
            {
                "amr.eastus.privatelink.redis.azure.net": "127.9.4.1",
                "amr.eastus.redis.azure.net": "127.9.4.1",
            },
            id="Managed Redis has its region in the name",
        ),
        pytest.param(
            {"staz.privatelink.blob.core.windows.net": ["10.1.2.6"]},
            (),
            {
                "staz.privatelink.blob.core.windows.net": "127.9.6.2",
                "staz.blob.core.windows.net": "127.9.6.2",
            },
            id="a storage account by its blobs",
        ),
        pytest.param(
            {},
            ("amr.eastus.redis.azure.net",),
            {"amr.eastus.redis.azure.net": "127.9.4.1"},
            id="public access needs no zone",
        ),
        pytest.param(
            {"other.privatelink.postgres.database.azure.com": ["10.1.2.4"]},
            (),
            {"other.privatelink.postgres.database.azure.com": "127.9.3.1"},
            id="a record of another name leads there and gives the service no name",
        ),
    ],
)
def test_network_finds_what_its_zones_hold(records, public, expected):
    """A name resolves where a linked zone leads to the service, or where it is public."""
    found = names.build_table(
        records=records, endpoints=ENDPOINTS, services=SERVICES, public_hosts=public
    )
    assert found == expected
