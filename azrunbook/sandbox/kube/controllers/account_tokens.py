"""Secrets that hold the token of a ServiceAccount (type kubernetes.io/service-account-token).

Law: fills in what is missing, and removes the Secret of an account that is gone; how a token is
signed is the caller's. Source: pkg/controller/serviceaccount/tokens_controller.go.
"""

import base64
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from azrunbook.sandbox.kube.controllers import loop
from azrunbook.sandbox.kube.controllers.access import Access

Object = dict[str, Any]
Issue = Callable[[Object, Object], str]
"""A token for (account, secret)."""

TYPE = "kubernetes.io/service-account-token"
ACCOUNT = "kubernetes.io/service-account.name"
ACCOUNT_UID = "kubernetes.io/service-account.uid"


class AccountTokenController:
    """Keeps token Secrets filled as long as their account lives."""

    name = "serviceaccount-token"

    def __init__(self, cluster: Access, ca_pem: bytes, issue: Issue) -> None:
        self._cluster = cluster
        self._ca_pem = ca_pem
        self._issue = issue
        self._secrets = cluster.resource("", "secrets")
        self._accounts = cluster.resource("", "serviceaccounts")

    def watches(self) -> Sequence[loop.Watch]:
        return [
            loop.Watch(self._secrets, lambda change: _token_keys([change.object])),
            loop.Watch(self._accounts, self._of_account),
        ]

    def _of_account(self, change: loop.Change) -> Iterable[loop.Key]:
        if change.type == "MODIFIED":
            return []
        namespace = change.object["metadata"]["namespace"]
        return _token_keys(self._cluster.registry.list(self._secrets, namespace))

    def reconcile(self, key: loop.Key) -> float | None:
        secret = self._cluster.registry.find(self._secrets, *key)
        if secret is None or "deletionTimestamp" in secret["metadata"]:
            return None
        annotations = secret["metadata"].get("annotations") or {}
        account = self._cluster.registry.find(self._accounts, key[0], annotations.get(ACCOUNT, ""))
        uid = None if account is None else account["metadata"]["uid"]
        if account is None or annotations.get(ACCOUNT_UID, uid) != uid:
            self._cluster.delete(self._secrets, secret)
            return None
        data = secret.get("data") or {}
        if {"ca.crt", "namespace", "token"} <= set(data) and ACCOUNT_UID in annotations:
            return None
        wanted = {"ca.crt": self._ca_pem, "namespace": key[0].encode()}
        if "token" not in data:
            wanted["token"] = self._issue(account, secret).encode()
        body = {
            "metadata": {"annotations": {ACCOUNT_UID: uid}},
            "data": {name: base64.b64encode(value).decode() for name, value in wanted.items()},
        }
        self._cluster.patch(self._secrets, secret, body)
        return None


def _token_keys(secrets: Iterable[Object]) -> list[loop.Key]:
    return [loop.key_of(secret) for secret in secrets if secret.get("type") == TYPE]
