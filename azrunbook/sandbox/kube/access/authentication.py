"""Authentication: client certificates, and tokens of service accounts.

Law: keeps no tokens; a token is verified by its signature and the objects it is bound to.
Tokens are JSON Web Tokens signed with a key of this cluster (HMAC: only the cluster verifies them).
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from azrunbook.sandbox.kube.identity import User

if TYPE_CHECKING:
    from azrunbook.sandbox.kube.registry import Registry

Object = dict[str, Any]
ISSUER = "https://kubernetes.default.svc.cluster.local"
LASTING_SECONDS = 1 << 32
AUTHENTICATED = "system:authenticated"
PRIVATE = "kubernetes.io"


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Authenticator:
    """Finds out who asks, for one cluster."""

    def __init__(self, registry: "Registry", key: bytes | None = None) -> None:
        self._registry = registry
        self._key = key or secrets.token_bytes(32)

    def authenticate(self, certificate: Mapping[str, Any] | None, header: str) -> User | None:
        """The user of a request: of its `Authorization` header, else of its certificate."""
        kind, _, token = header.partition(" ")
        if kind.lower() == "bearer" and token:
            return self.check_token(token.strip())
        return _from_certificate(certificate) if certificate else None

    def issue_token(
        self, account: Object, *, seconds: int, audiences: Sequence[str], bound: Object | None
    ) -> str:
        """A token of a service account, bound to an object if one is given."""
        now = int(time.time())
        metadata = account["metadata"]
        claims: Object = {
            "namespace": metadata["namespace"],
            "serviceaccount": {"name": metadata["name"], "uid": metadata["uid"]},
        }
        if bound is not None:
            claims[bound["kind"].lower()] = {"name": bound["name"], "uid": bound["uid"]}
        body = {
            "aud": list(audiences) or [ISSUER],
            "exp": now + seconds,
            "iat": now,
            "iss": ISSUER,
            "jti": secrets.token_hex(16),
            PRIVATE: claims,
            "nbf": now,
            "sub": f"system:serviceaccount:{metadata['namespace']}:{metadata['name']}",
        }
        head = _encode(json.dumps({"alg": "HS256", "kid": "sandbox"}).encode())
        text = f"{head}.{_encode(json.dumps(body).encode())}"
        return f"{text}.{self._sign(text)}"

    def issue_lasting_token(self, account: Object, secret: Object) -> str:
        """The token of a token Secret: good for as long as the Secret is there."""
        bound = {"kind": "Secret", **{key: secret["metadata"][key] for key in ("name", "uid")}}
        return self.issue_token(account, seconds=LASTING_SECONDS, audiences=(), bound=bound)

    def _sign(self, text: str) -> str:
        return _encode(hmac.new(self._key, text.encode(), hashlib.sha256).digest())

    def check_token(self, token: str) -> User | None:
        """The user of a token; None if it is not (or no longer) good."""
        text, _, signature = token.rpartition(".")
        if not text or not hmac.compare_digest(signature, self._sign(text)):
            return None
        try:
            claims = json.loads(_decode(text.partition(".")[2]))
        except (ValueError, binascii.Error):
            return None
        if claims["exp"] < time.time():
            return None
        return self._from_claims(claims)

    def _from_claims(self, claims: Object) -> User | None:
        private = claims[PRIVATE]
        namespace, account = private["namespace"], private["serviceaccount"]
        if not self._exists("serviceaccounts", namespace, account):
            return None
        extra = {"authentication.kubernetes.io/credential-id": (f"JTI={claims['jti']}",)}
        if "secret" in private and not self._exists("secrets", namespace, private["secret"]):
            return None
        if "pod" in private:
            if not self._exists("pods", namespace, private["pod"]):
                return None
            extra["authentication.kubernetes.io/pod-name"] = (private["pod"]["name"],)
            extra["authentication.kubernetes.io/pod-uid"] = (private["pod"]["uid"],)
        groups = (
            "system:serviceaccounts",
            f"system:serviceaccounts:{namespace}",
            AUTHENTICATED,
        )
        return User(claims["sub"], groups, account["uid"], extra)

    def _exists(self, plural: str, namespace: str, wanted: Object) -> bool:
        resource = self._registry.resources.get("", plural)
        found = self._registry.find(resource, namespace, wanted["name"])
        return found is not None and found["metadata"]["uid"] == wanted["uid"]


def impersonated(name: str, groups: Sequence[str]) -> User:
    """A user that an administrator acts as; service accounts bring their groups along."""
    found = list(groups)
    parts = name.split(":")
    if not found and parts[:2] == ["system", "serviceaccount"] and parts[3:]:
        found = ["system:serviceaccounts", f"system:serviceaccounts:{parts[2]}"]
    return User(name, (*found, AUTHENTICATED))


def _from_certificate(certificate: Mapping[str, Any]) -> User | None:
    """CN is the user and every O a group; the TLS layer has verified the certificate."""
    fields = [part for relative in certificate.get("subject", ()) for part in relative]
    names = [value for key, value in fields if key == "commonName"]
    if not names:
        return None
    groups = [value for key, value in fields if key == "organizationName"]
    return User(str(names[0]), (*map(str, groups), AUTHENTICATED))
