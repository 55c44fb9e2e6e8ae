"""A small ARM client on azure-mgmt-core's pipeline: any resource type by id and api-version.

Sends requests to one resource manager and keeps nothing. Retries, throttling, token refresh and
provider registration are azure-core's policies; polling is azure-mgmt-core's. It is here because
one class serves every type that the typed AKS client does not, at a twentieth of the packages.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import requests
from azure.core import exceptions
from azure.core.credentials import TokenCredential
from azure.core.pipeline import policies
from azure.core.pipeline.transport import RequestsTransport
from azure.core.polling import LROPoller, NoPolling
from azure.core.rest import HttpRequest
from azure.mgmt.core import ARMPipelineClient, policies as arm_policies
from azure.mgmt.core.exceptions import ARMErrorFormat
from azure.mgmt.core.polling.arm_polling import ARMPolling

from azrunbook import certificates, errors, operations

Json = dict[str, Any]
_ERRORS: Mapping[int, type[exceptions.HttpResponseError]] = {
    401: exceptions.ClientAuthenticationError,
    404: exceptions.ResourceNotFoundError,
    409: exceptions.ResourceExistsError,
}
_FIRST_ERROR = 300
_USER_AGENT = "azrunbook"
# ARM asks its clients to give up on one request after 60 s.
_CONNECT_SECONDS = 10
_READ_SECONDS = 60
# As many as steps of a plan may run at once; more than that wait for a connection, quietly.
_CONNECTIONS = 64
# How long a request is repeated while another operation runs on the same resource.
PATIENCE_SECONDS = 1800.0


class ArmClient:
    """Reads and writes resources by id.

    Args:
        credential: an azure-identity credential.
        base_url: the resource manager, without a trailing slash.
        ca_bundle: PEM file that verifies it; None: the system's roots.
        polling_interval_seconds: between two looks at an operation whose answer names no time
            (azure-core's own default of 30 s makes a one-second operation take half a minute).
    """

    def __init__(
        self,
        credential: TokenCredential,
        base_url: str,
        *,
        ca_bundle: Path | None,
        polling_interval_seconds: float,
    ) -> None:
        self._polling_interval = polling_interval_seconds
        self._client: ARMPipelineClient[Any, Any] = ARMPipelineClient(
            base_url=base_url,
            policies=[
                policies.RequestIdPolicy(),
                policies.HeadersPolicy(),
                policies.UserAgentPolicy(_USER_AGENT),
                policies.ContentDecodePolicy(),
                arm_policies.ARMAutoResourceProviderRegistrationPolicy(),
                policies.RedirectPolicy(),
                _RetryPolicy(),
                arm_policies.ARMChallengeAuthenticationPolicy(credential, f"{base_url}/.default"),
                policies.SensitiveHeaderCleanupPolicy(),
                arm_policies.ARMHttpLoggingPolicy(),
            ],
            transport=_make_transport(ca_bundle),
        )

    def close(self) -> None:
        self._client.close()

    def get(self, resource_id: str, api_version: str) -> Json:
        """Read one resource.

        Raises:
            NotFoundError: it does not exist.
            ConnectError: no answer, or the credential is refused.
            StepError: ARM refused; its code and message.
        """
        with operations.Explained(f"read {resource_id}"):
            return self._read(self._send("GET", resource_id, api_version)) or {}

    def find(self, resource_id: str, api_version: str) -> Json | None:
        """Read one resource; None when it, or the group it would be in, does not exist."""
        with operations.Explained(f"read {resource_id}"):
            try:
                return self._read(self._send("GET", resource_id, api_version))
            except exceptions.ResourceNotFoundError:
                return None

    def list(self, path: str, api_version: str, *, filter_text: str = "") -> Iterator[Json]:
        """List what a path holds, following ``nextLink`` page by page."""
        with operations.Explained(f"list {path}"):
            page = self._read(self._send("GET", path, api_version, filter_text=filter_text)) or {}
            yield from page.get("value", ())
            while next_link := page.get("nextLink"):
                page = self._read(self._send("GET", next_link, None)) or {}
                yield from page.get("value", ())

    def post(self, path: str, api_version: str, body: Mapping[str, Any] | None = None) -> Json:
        """Ask a resource for something that it answers at once (a URL, credentials)."""
        with operations.Explained(f"post {path}"):
            return self._read(self._send("POST", path, api_version, body)) or {}

    def begin_put(
        self,
        resource_id: str,
        api_version: str,
        body: Mapping[str, Any],
        *,
        patience: float = PATIENCE_SECONDS,
        progress: operations.Tell | None = None,
    ) -> LROPoller[Json]:
        """Start creating or replacing a resource; the result is the resource.

        Waits up to ``patience`` seconds while another operation on it is in progress.

        Raises:
            WaitTimeoutError: that other operation did not end.
            StepError: ARM refused; its code and message.
        """
        return self._begin(
            "PUT", resource_id, api_version, body, patience=patience, progress=progress
        )

    def begin_patch(
        self,
        resource_id: str,
        api_version: str,
        body: Mapping[str, Any],
        *,
        patience: float = PATIENCE_SECONDS,
        progress: operations.Tell | None = None,
    ) -> LROPoller[Json]:
        """Start changing some properties of a resource; as :meth:`begin_put`."""
        return self._begin(
            "PATCH", resource_id, api_version, body, patience=patience, progress=progress
        )

    def begin_post(
        self,
        path: str,
        api_version: str,
        body: Mapping[str, Any] | None = None,
        *,
        patience: float = PATIENCE_SECONDS,
        progress: operations.Tell | None = None,
    ) -> LROPoller[Json]:
        """Start an action of a resource; the result is what the action answers last."""
        return self._begin("POST", path, api_version, body, patience=patience, progress=progress)

    def begin_delete(
        self,
        resource_id: str,
        api_version: str,
        *,
        patience: float = PATIENCE_SECONDS,
        progress: operations.Tell | None = None,
    ) -> LROPoller[None]:
        """Start deleting a resource; one that is gone already, or its whole group, is as good."""
        try:
            return self._begin(
                "DELETE", resource_id, api_version, None, patience=patience, progress=progress
            )
        except errors.NotFoundError:
            ended: Any = NoPolling  # its constructor is not annotated
            return LROPoller(self._client, None, lambda _: None, ended())

    def wait(
        self,
        poller: LROPoller[Any],
        *,
        what: str,
        timeout: float,
        progress: operations.Tell | None = None,
    ) -> Any:
        """Wait for a poller of this client; see :func:`operations.wait_for`."""
        return operations.wait_for(poller, what=what, timeout=timeout, progress=progress)

    def _begin(
        self,
        method: str,
        path: str,
        api_version: str,
        body: Mapping[str, Any] | None,
        *,
        patience: float,
        progress: operations.Tell | None,
    ) -> LROPoller[Any]:
        answer = operations.repeat_while_busy(
            lambda: self._send(method, path, api_version, body),
            what=f"{method.lower()} {path}",
            timeout=patience,
            interval=self._polling_interval,
            progress=progress,
        )
        # A deletion's last answer is the operation's own status; nobody wants that.
        read = (lambda _: None) if method == "DELETE" else self._read
        return LROPoller(self._client, answer, read, ARMPolling(self._polling_interval))

    def _send(
        self,
        method: str,
        path: str,
        api_version: str | None,
        body: Mapping[str, Any] | None = None,
        *,
        filter_text: str = "",
    ) -> Any:
        """Send one request; a path is below the base URL, a full URL (nextLink) stays itself."""
        query = {"api-version": api_version} if api_version else {}
        if filter_text:
            query["$filter"] = filter_text
        request = HttpRequest(
            method,
            self._client.format_url(path),
            params=query or None,
            json=body,
            headers={"Accept": "application/json"},
        )
        answer: Any = self._client.send_request(request, _return_pipeline_response=True)
        response = answer.http_response
        if response.status_code >= _FIRST_ERROR:
            response.read()
            kind = _ERRORS.get(response.status_code, exceptions.HttpResponseError)
            raise kind(response=response, error_format=ARMErrorFormat)
        return answer

    @staticmethod
    def _read(answer: Any) -> Json | None:
        response = answer.http_response
        return response.json() if response.content else None


class _RetryPolicy(policies.RetryPolicy[Any, Any]):
    """As azure-core's, but a certificate that was refused is not asked for again."""

    def increment(self, settings: Json, response: Any = None, error: Any = None) -> bool:
        if error is not None and certificates.find_refusal(error):
            return False
        return super().increment(settings, response=response, error=error)


def _make_transport(ca_bundle: Path | None) -> RequestsTransport:
    session = requests.Session()
    session.mount("https://", requests.adapters.HTTPAdapter(pool_maxsize=_CONNECTIONS))
    return RequestsTransport(
        session=session,
        connection_verify=str(ca_bundle) if ca_bundle else True,
        connection_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
    )
