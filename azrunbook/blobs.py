"""One container of a storage account: what is in it, put, delete. Speaks the Blob service's REST.

As the signed-in identity, which needs the role *Storage Blob Data Contributor*: the accounts of an
estate take no keys. An account without public access answers only inside the networks of its
private endpoints, whoever asks.
"""

import ssl
import urllib.parse
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from azrunbook import connection, errors, estate, resources, secrets

if TYPE_CHECKING:  # the SDKs are imported when a client is made, not with this module
    import httpx
    from azure.core.credentials import TokenCredential

_SCOPE = "https://storage.azure.com/.default"
_VERSION = "2025-05-05"
_TIMEOUT_SECONDS = 60
_ADVICE = {
    "AuthorizationFailure": "Run from inside its network: a runner there, or a VPN into it.",
    "AuthorizationPermissionMismatch": "Give the caller the role Storage Blob Data Contributor.",
    "ContainerNotFound": "azrunbook run 01_provision_estate",
}


def open_static(
    credential: "TokenCredential",
    target: connection.Connection,
    declared: estate.Estate,
    region: estate.Region,
) -> "Container":
    """The container of static assets in a region's storage account; asks nothing yet.

    Raises:
        NotFoundError: the estate has no storage.
    """
    if declared.storage is None:
        raise errors.NotFoundError("the estate has no storage: expected it in its file.")
    account = resources.name_account(declared.storage, region)
    endpoint = target.blob_endpoint.replace("{account}", account)
    place = f"{endpoint}/{declared.storage.container}"
    return Container(credential, place, ca_bundle=target.ca_bundle)


class Container:
    """A container.

    Args:
        url: of the container, without a slash at its end.
        ca_bundle: PEM file of the trusted authorities; None: the system's.
    """

    def __init__(
        self, credential: "TokenCredential", url: str, *, ca_bundle: Path | None = None
    ) -> None:
        self._credential = credential
        self._url = url
        self._ca_bundle = ca_bundle

    def list_names(self) -> frozenset[str]:
        """List the names of all blobs.

        Raises:
            StepError: the container cannot be listed; says why and what to do.
        """
        found: set[str] = set()
        marker = ""
        while True:
            query = urllib.parse.urlencode(
                {"restype": "container", "comp": "list", "marker": marker}
            )
            answer = self._send("GET", f"?{query}")
            page = ET.fromstring(answer.content)  # noqa: S314 - of the storage account's own
            found |= {str(one.text) for one in page.iterfind("Blobs/Blob/Name")}
            marker = page.findtext("NextMarker") or ""
            if not marker:
                return frozenset(found)

    def put(self, name: str, content: bytes, *, content_type: str, cache_control: str) -> None:
        """Write a blob; one that is there is replaced.

        Raises:
            StepError: it cannot be written; says why and what to do.
        """
        self._send(
            "PUT",
            f"/{urllib.parse.quote(name)}",
            content,
            {
                "x-ms-blob-type": "BlockBlob",
                "x-ms-blob-content-type": content_type,
                "x-ms-blob-cache-control": cache_control,
            },
        )

    def delete(self, name: str) -> None:
        """Delete a blob; one that is gone already is as good.

        Raises:
            StepError: it cannot be deleted; says why and what to do.
        """
        self._send("DELETE", f"/{urllib.parse.quote(name)}", allowed="BlobNotFound")

    def _send(
        self,
        method: str,
        place: str,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
        allowed: str = "",
    ) -> "httpx.Response":
        import httpx

        token = secrets.register(self._credential.get_token(_SCOPE).token)
        signed = {"Authorization": f"Bearer {token}", "x-ms-version": _VERSION, **(headers or {})}
        context = ssl.create_default_context(cafile=self._ca_bundle and str(self._ca_bundle))
        try:
            with httpx.Client(verify=context, timeout=_TIMEOUT_SECONDS, trust_env=False) as client:
                answer = client.request(
                    method, f"{self._url}{place}", content=content, headers=signed
                )
        except httpx.HTTPError as error:
            raise errors.StepError(
                f"{self._url} does not answer ({type(error).__name__}). Run from inside its "
                "network, then run it again."
            ) from error
        code = answer.headers.get("x-ms-error-code", "")
        if answer.status_code >= HTTPStatus.BAD_REQUEST and not (allowed and code == allowed):
            advice = _ADVICE.get(code, "Run it again.")
            raise errors.StepError(
                f"{method} of {self._url}: {answer.status_code} {code}, expected success. {advice}"
            )
        return answer
