"""A registry's own address: what is in it, and the login that docker and its like need.

Speaks the OCI distribution protocol behind Azure's tokens: an ARM token is exchanged for a refresh
token of the registry (three hours), and that for access tokens of one repository. Reads only; what
is pushed is pushed by others, with the login of :meth:`LoginServer.log_in`.
"""

import ssl
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from azrunbook import connection, errors, secrets

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

# Azure's registries take the refresh token as the password of this user.
USER = "00000000-0000-0000-0000-000000000000"
_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_TIMEOUT_SECONDS = 30


def open_registry(
    credential: "TokenCredential", target: connection.Connection, name: str
) -> "LoginServer":
    """The data plane of a registry by its name; Azure's public cloud forms the host from it."""
    scope = f"{target.resource_manager}/.default"
    return LoginServer(
        f"{name}.azurecr.io",
        lambda: credential.get_token(scope).token,
        connect_to=target.registry_connect_to,
        ca_bundle=target.ca_bundle,
    )


class LoginServer:
    """One registry's data plane.

    Args:
        host: the login server.
        get_token: fetches an access token for ARM.
        connect_to: ``address:port`` to connect to instead of what DNS says.
        ca_bundle: verifies it; None: the system's roots.
    """

    def __init__(
        self,
        host: str,
        get_token: Callable[[], str],
        *,
        connect_to: str = "",
        ca_bundle: Path | None = None,
    ) -> None:
        self.host = host
        self.place = connect_to or host
        self.ca_bundle = ca_bundle
        self._get_token = get_token

    def log_in(self) -> secrets.Secret:
        """Fetch a refresh token: the password of :data:`USER` for three hours.

        Raises:
            ConnectError: the registry does not answer, or refuses the token.
        """
        with self._open() as client:
            return self._exchange(client)

    def find_digest(self, name: str) -> str:
        """The digest of a ``repository:tag``; empty when the registry does not have it.

        Raises:
            ConnectError: the registry does not answer, or refuses the token.
        """
        repository, _, tag = name.partition(":")
        with self._open() as client:
            form = {
                "grant_type": "refresh_token",
                "refresh_token": self._exchange(client).reveal(),
                "scope": f"repository:{repository}:pull",
            }
            access = self._post(client, "token", form, "access_token")
            headers = {
                "Authorization": f"Bearer {access.reveal()}",
                "Accept": ", ".join(_MANIFESTS),
            }
            answer = self._send(
                client, "HEAD", f"/v2/{repository}/manifests/{tag}", headers=headers
            )
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return ""
        self._require(answer)
        return str(answer.headers["Docker-Content-Digest"])

    def _open(self) -> httpx.Client:
        return httpx.Client(
            base_url=f"https://{self.place}",
            headers={"Host": self.host},
            verify=ssl.create_default_context(cafile=self.ca_bundle and str(self.ca_bundle)),
            timeout=_TIMEOUT_SECONDS,
            trust_env=self.place == self.host,  # a proxy does not know an address of our own
        )

    def _exchange(self, client: httpx.Client) -> secrets.Secret:
        form = {"grant_type": "access_token", "access_token": self._get_token()}
        return self._post(client, "exchange", form, "refresh_token")

    def _post(
        self, client: httpx.Client, path: str, form: dict[str, str], key: str
    ) -> secrets.Secret:
        given = {**form, "service": self.host}
        answer = self._send(client, "POST", f"/oauth2/{path}", data=given)
        self._require(answer)
        return secrets.Secret(answer.json()[key])

    def _send(self, client: httpx.Client, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return client.request(method, path, extensions={"sni_hostname": self.host}, **options)
        except httpx.HTTPError as error:
            raise errors.ConnectError(
                f"registry {self.host} does not answer ({type(error).__name__} {error}). Check the "
                "network; a registry without public access answers in its network only."
            ) from error

    def _require(self, answer: httpx.Response) -> None:
        if not answer.is_success:
            said = secrets.scrub(answer.text[:200]) or "nothing"
            raise errors.ConnectError(
                f"registry {self.host} answered {answer.status_code} to "
                f"{answer.request.method} {answer.request.url.path}, and said: {said}. The "
                "identity needs AcrPull on the registry, to push AcrPush."
            )
