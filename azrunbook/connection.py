"""Where an Azure is and how to log in to it: the connection file, and its equivalent for Azure.

A sandbox writes such a file when it is ready; for Azure itself it is not needed, and for another
cloud a person may write one. Reads files and the environment; connects to nothing.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from azrunbook import documents, errors, estate

PUBLIC_RESOURCE_MANAGER = "https://management.azure.com"
PUBLIC_AUTHORITY = "https://login.microsoftonline.com"
HOME_VARIABLE = "AZRUNBOOK_HOME"
_AZURE_POLLING_SECONDS = 10.0


class Credential(documents.Model):
    """A service principal; its secret stands in a file of its own, not in this one."""

    client_id: str
    client_secret_file: Path


class Connection(documents.Model):
    """Everything a client has to know of a target.

    Attributes:
        credential: None: azure-identity's DefaultAzureCredential finds one.
        ca_bundle: PEM file that verifies all of it; None: the system's roots.
        public_connect_to: ``address:port`` of the HTTPS listener of all public host names; empty:
            DNS knows them.
        registry_connect_to: the same for the login servers of registries.
        blob_endpoint: where a storage account's blobs are; ``{account}`` stands for its name.
        chart_mirrors: Helm repository to the address it is served at instead.
    """

    name: str
    subscription_id: str = Field(min_length=1)
    tenant_id: str = ""
    resource_manager: str = PUBLIC_RESOURCE_MANAGER
    authority: str = PUBLIC_AUTHORITY
    credential: Credential | None = None
    ca_bundle: Path | None = None
    polling_interval_seconds: float = Field(default=_AZURE_POLLING_SECONDS, gt=0)
    public_connect_to: str = ""
    registry_connect_to: str = ""
    blob_endpoint: str = "https://{account}.blob.core.windows.net"
    chart_mirrors: Mapping[str, str] = Field(default_factory=dict)


def find_home() -> Path:
    """The state folder: ``AZRUNBOOK_HOME``, or ``.azrunbook`` in the checkout."""
    home = os.environ.get(HOME_VARIABLE)
    return Path(home).absolute() if home else estate.find_project() / ".azrunbook"


def find(target: str) -> Connection:
    """Find the connection of a target: ``sandbox``, ``azure``, or the path of a connection file.

    Raises:
        ConnectError: no sandbox is running, no subscription is given, or there is no such file.
        EstateError: the file is wrong; says where.
    """
    if target == "azure":
        return _from_environment()
    path = find_home() / "sandbox" / "connection.json" if target == "sandbox" else Path(target)
    if not path.exists():
        what = "no sandbox is running" if target == "sandbox" else f"no target '{target}'"
        raise errors.ConnectError(
            f"{what}: {path} does not exist. Expected 'sandbox' (azrunbook sandbox up), 'azure', "
            "or the path of a connection file."
        )
    return documents.read(Connection, path)


def _from_environment() -> Connection:
    subscription = os.environ.get("AZURE_SUBSCRIPTION_ID", "")
    if not subscription:
        raise errors.ConnectError(
            "which subscription? AZURE_SUBSCRIPTION_ID is not set. "
            'For example: export AZURE_SUBSCRIPTION_ID="$(az account show --query id -o tsv)"'
        )
    return Connection(
        name="azure", subscription_id=subscription, tenant_id=os.environ.get("AZURE_TENANT_ID", "")
    )
