"""The token endpoint, its OpenID configuration, and the cloud's metadata. No sockets.

Only the settings' service principals exist. Tokens are shaped like Entra's (three parts, readable
claims: azurerm takes the object id from them) and are checked by lookup on every call, never by
their content.
"""

import base64
import dataclasses
import hmac
import json
import secrets
import time
import uuid
from collections.abc import Mapping

from azrunbook.sandbox.arm import errors, routing, settings

_LOGIN_HINT = "To learn more, see https://aka.ms/azsdk/python/identity"


@dataclasses.dataclass(frozen=True)
class Issued:
    """A token that was issued: to whom, with which claims, until when (monotonic seconds)."""

    principal: settings.Principal
    claims: Mapping[str, str | int]
    expires: float


class Identity:
    """Issues and checks bearer tokens."""

    def __init__(self, config: settings.ArmSettings) -> None:
        self._config = config
        self._principals = {one.client_id.lower(): one for one in config.principals}
        self._issued: dict[str, Issued] = {}
        self._revoked: frozenset[str] = frozenset()

    def openid_configuration(self, tenant: str, origin: str) -> routing.Answer:
        """Answer ``GET /{tenant}/v2.0/.well-known/openid-configuration``."""
        if refused := self._check_tenant(tenant):
            return refused
        base = f"{origin}/{tenant}"
        return routing.Answer(
            200,
            {
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "issuer": f"{base}/v2.0",
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
                "response_types_supported": ["code"],
                "tenant_region_scope": "WW",
            },
        )

    def token(self, tenant: str, form: Mapping[str, str]) -> routing.Answer:
        """Answer ``POST /{tenant}/oauth2/v2.0/token`` for the client credentials grant."""
        refused = self._check_tenant(tenant) or self._check_form(form)
        if refused:
            return refused
        lifetime = self._config.token_lifetime_seconds
        return routing.Answer(
            200,
            {
                "token_type": "Bearer",
                "expires_in": lifetime,
                "ext_expires_in": lifetime,
                "access_token": self._issue(form, lifetime),
            },
        )

    def revoke(self, *, is_revoked: bool = True) -> None:
        """Refuse the first principal's secret and all its tokens; or take the secret again."""
        first = self._config.client_id.lower()
        self._revoked = frozenset({first} if is_revoked else ())
        for token, one in self._issued.items():
            if one.principal.client_id.lower() in self._revoked:
                self._issued[token] = dataclasses.replace(one, expires=0.0)

    def is_valid(self, token: str, audience: str = "") -> bool:
        """Whether a token was issued here, for an audience if given, and has not expired."""
        issued = self._issued.get(token)
        if issued is None or time.monotonic() >= issued.expires:
            return False
        return not audience or str(issued.claims["aud"]).rstrip("/") == audience

    def check(self, authorization: str | None, origin: str) -> Issued:
        """Check the Authorization header of a call; returns whose token it is.

        Raises:
            errors.ArmError: 401, missing, unknown or expired.
        """
        token = (authorization or "").removeprefix("Bearer ").strip()
        if self.is_valid(token):
            return self._issued[token]
        if not token:
            code, text = "AuthenticationFailed", "The 'Authorization' header is missing."
        elif token not in self._issued:
            code, text = "InvalidAuthenticationToken", "The access token is invalid."
        else:
            code, text = "ExpiredAuthenticationToken", "The access token expiry is in the past."
        challenge = (
            f'Bearer authorization_uri="{origin}/{self._config.tenant_id}", '
            f'error="invalid_token", error_description="{text}"'
        )
        raise errors.ArmError(
            401, code, f"Authentication failed. {text}", headers={"WWW-Authenticate": challenge}
        )

    def _issue(self, form: Mapping[str, str], lifetime: int) -> str:
        now, principal = int(time.time()), self._principals[form["client_id"].lower()]
        claims: dict[str, str | int] = {
            "aud": form["scope"].removesuffix("/.default"),
            "iss": f"https://sts.windows.net/{self._config.tenant_id}/",
            "iat": now,
            "nbf": now,
            "exp": now + lifetime,
            "appid": principal.client_id,
            "appidacr": "1",
            "oid": principal.object_id,
            "sub": principal.object_id,
            "tid": self._config.tenant_id,
            "idtyp": "app",
            "ver": "1.0",
        }
        header = {"typ": "JWT", "alg": "RS256", "kid": "sandbox"}
        token = f"{_encode(header)}.{_encode(claims)}.{secrets.token_urlsafe(48)}"
        self._issued[token] = Issued(principal, claims, time.monotonic() + lifetime)
        return token

    def _check_tenant(self, tenant: str) -> routing.Answer | None:
        if tenant.lower() == self._config.tenant_id.lower():
            return None
        return _refuse(400, "invalid_request", 90002, f"Tenant '{tenant}' not found.")

    def _check_form(self, form: Mapping[str, str]) -> routing.Answer | None:
        for name in ("client_id", "grant_type", "scope"):
            if not form.get(name):
                text = f"The request body must contain the following parameter: '{name}'."
                return _refuse(400, "invalid_request", 900144, text)
        if form["grant_type"] != "client_credentials":
            text = f"The app requested an unsupported grant type '{form['grant_type']}'."
            return _refuse(400, "unsupported_grant_type", 70003, text)
        principal = self._principals.get(form["client_id"].lower())
        if principal is None:
            text = f"Application with identifier '{form['client_id']}' was not found."
            return _refuse(400, "unauthorized_client", 700016, text)
        is_revoked = principal.client_id.lower() in self._revoked
        if is_revoked or not hmac.compare_digest(
            form.get("client_secret", "").encode(), principal.client_secret.encode()
        ):
            text = (
                "Invalid client secret provided. Ensure the secret being sent in the request is "
                "the client secret value, not the client secret ID."
            )
            return _refuse(401, "invalid_client", 7000215, text)
        return None


def cloud_metadata(origin: str) -> routing.Answer:
    """Answer ``GET /metadata/endpoints``, by which azurerm learns a cloud it was not built for."""
    return routing.Answer(
        200,
        {
            "name": "AzureSandbox",
            "portal": origin,
            "resourceManager": origin,
            "authentication": {
                # azurerm puts a slash behind it, whatever it ends with.
                "loginEndpoint": origin,
                "audiences": [
                    "https://management.core.windows.net/",
                    "https://management.azure.com/",
                ],
                "tenant": "common",
                "identityProvider": "AAD",
            },
            "microsoftGraphResourceId": f"{origin}/",
            "graph": f"{origin}/",
            "graphAudience": f"{origin}/",
            "media": "https://rest.media.azure.net",
            "batch": "https://batch.core.windows.net/",
            "ossrDbmsResourceId": "https://ossrdbms-aad.database.windows.net",
            "logAnalyticsResourceId": "https://api.loganalytics.io",
            "synapseAnalyticsResourceId": "https://dev.azuresynapse.net",
            "attestationResourceId": "https://attest.azure.net",
            "activeDirectoryDataLake": "https://datalake.azure.net/",
            "sqlManagement": origin,
            "gallery": origin,
            "vmImageAliasDoc": "",
            "suffixes": _SUFFIXES,
        },
    )


_SUFFIXES = {
    "keyVaultDns": "vault.azure.net",
    "storage": "core.windows.net",
    "acrLoginServer": "azurecr.io",
    "azureFrontDoorEndpointSuffix": "azurefd.net",
    "postgresqlServerEndpoint": "postgres.database.azure.com",
    "mysqlServerEndpoint": "mysql.database.azure.com",
    "mariadbServerEndpoint": "mariadb.database.azure.com",
    "sqlServerHostname": "database.windows.net",
    "storageSyncEndpointSuffix": "afs.azure.net",
    "mhsmDns": "managedhsm.azure.net",
    "synapseAnalytics": "dev.azuresynapse.net",
    "azureDataLakeStoreFileSystem": "azuredatalakestore.net",
    "azureDataLakeAnalyticsCatalogAndJob": "azuredatalakeanalytics.net",
    "attestationEndpoint": "attest.azure.net",
}


def _refuse(status: int, error: str, number: int, text: str) -> routing.Answer:
    trace = str(uuid.uuid4())
    return routing.Answer(
        status,
        {
            "error": error,
            "error_description": f"AADSTS{number}: {text} {_LOGIN_HINT} Trace ID: {trace}",
            "error_codes": [number],
            "trace_id": trace,
            "correlation_id": str(uuid.uuid4()),
        },
    )


def _encode(part: Mapping[str, str | int]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
