"""Requests to one cluster's API server, with deadlines and errors in this package's words.

Sends what it is told over the kubernetes client's connection of one kubeconfig context. Every
request has a timeout, because the client would wait for ever on a cluster that is gone. Not
through the client's typed calls: loading their models takes longer than a rollout.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from azrunbook import errors

_CONNECT_SECONDS, _READ_SECONDS = 5, 20
_GOOD = range(200, 300)
_NOT_FOUND = 404
_REFUSED = frozenset({401, 403})
TOO_MANY_REQUESTS = 429
# What Python reads as: this module cannot be imported.
_NOT_THERE: Any = None


class KubeApi:
    """One cluster.

    Args:
        kubeconfig: file with the context; the client keeps certificates it unpacks beside it.
    """

    def __init__(self, kubeconfig: Path, context: str) -> None:
        client, config = _import_kubernetes()
        configuration = client.Configuration()
        config.load_kube_config(
            str(kubeconfig),
            context=context,
            client_configuration=configuration,
            persist_config=False,
            temp_file_path=str(kubeconfig.parent),
        )
        self.context = context
        self._client: Any = client.ApiClient(configuration)

    def close(self) -> None:
        self._client.close()

    def get(self, what: str, path: str, *, labels: str = "", fields: str = "") -> Any:
        """Read what is at a path; errors as :meth:`send`."""
        given = {"labelSelector": labels, "fieldSelector": fields}
        _, body = self.send("GET", what, path, {key: one for key, one in given.items() if one})
        return body

    def send(
        self,
        method: str,
        what: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        *,
        media_type: str = "application/json",
        accepted: frozenset[int] = frozenset(),
    ) -> tuple[int, Any]:
        """Send one request; returns status and JSON.

        Args:
            method: of HTTP.
            what: the object in words, for errors.
            path: from the root of the API server.
            query: parameters by name.
            body: JSON to send.
            media_type: what the body is.
            accepted: statuses that the caller knows what to do with, beside the good ones.

        Raises:
            NotFoundError: 404.
            ConnectError: no answer, or the credential is refused.
            StepError: any other refusal.
        """
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = media_type
        request = self._client.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()) or None,
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            answer = self._client.call_api(
                *request, _request_timeout=(_CONNECT_SECONDS, _READ_SECONDS)
            )
            content = json.loads(answer.read())
        except (ApiException, HTTPError, OSError, ValueError) as error:
            raise errors.ConnectError(
                f"{what} in {self.context}: the cluster does not answer "
                f"({type(error).__name__}). Is it stopped?"
            ) from error
        if answer.status not in _GOOD and answer.status not in accepted:
            self._refuse(what, answer.status, content)
        return answer.status, content

    def _refuse(self, what: str, status: int, content: Mapping[str, Any]) -> None:
        message = f"{what} in {self.context}: {status} {content.get('message', '')}"
        if status == _NOT_FOUND:
            raise errors.NotFoundError(message)
        if status in _REFUSED:
            raise errors.ConnectError(
                f"{message}. Fetch the cluster's credentials again by reconnecting."
            )
        raise errors.StepError(message)


def _import_kubernetes() -> tuple[Any, Any]:
    """Import the client without the validator that it takes along when one is installed.

    That one belongs to the sandbox, costs more than a second to load, and is not used here.
    """
    blocked = sys.modules.setdefault("kubernetes_validate", _NOT_THERE) is _NOT_THERE
    try:
        from kubernetes import client, config
    finally:
        if blocked:
            sys.modules.pop("kubernetes_validate", None)
    return client, config
