"""Requests to one cluster's API server, with deadlines and errors in this package's words.

Sends what it is told over the kubernetes client's connection of one kubeconfig context. Every
request has a timeout, because the client would wait for ever on a cluster that is gone. Not
through the client's typed calls: loading their models takes longer than a rollout.

A credential may end while a run goes on: a token expires, certificates are rotated. So one that is
refused is fetched again, once for all who use this connection, and the request is sent again.
"""

import json
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from azrunbook import certificates, errors

_CONNECT_SECONDS, _READ_SECONDS = 5, 20
_GOOD = range(200, 300)
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404
_ATTEMPTS = 3
TOO_MANY_REQUESTS = 429
# What Python reads as: this module cannot be imported.
_NOT_THERE: Any = None


class KubeApi:
    """One cluster.

    Args:
        kubeconfig: file with the context; the client keeps certificates it unpacks beside it.
        renew: writes the file anew when the cluster refuses what is in it; None: somebody else
            does, and the file is only read again.
    """

    def __init__(
        self, kubeconfig: Path, context: str, *, renew: Callable[[], object] | None = None
    ) -> None:
        self.context = context
        self._kubeconfig = kubeconfig
        self._renew = renew
        self._renewing = threading.Lock()
        self._client = self._load()

    def _load(self) -> Any:
        from urllib3.util import Retry

        self._loaded = self._kubeconfig.read_bytes()
        client, config = _import_kubernetes()
        configuration = client.Configuration()
        config.load_kube_config(
            str(self._kubeconfig),
            context=self.context,
            client_configuration=configuration,
            persist_config=False,
            temp_file_path=str(self._kubeconfig.parent),
        )
        # Who does not answer twice (a cluster that is stopped) does not the fourth time either.
        configuration.retries = Retry(_ATTEMPTS, connect=1, other=0)
        return client.ApiClient(configuration)

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
        body: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        *,
        media_type: str = "application/json",
        accepted: frozenset[int] = frozenset(),
    ) -> tuple[int, Any]:
        """Send one request; returns status and JSON, or the text of what is plain text.

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
            ConnectError: no answer, another's certificate, or the credential is refused, also
                after it was fetched again.
            StepError: any other refusal.
        """
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = media_type
        request = {
            "method": method,
            "resource_path": path,
            "query_params": list((query or {}).items()) or None,
            "header_params": headers,
            "body": body,
            "auth_settings": ["BearerToken"],
        }
        status, content = self._ask(what, request)
        if status not in _GOOD and status not in accepted:
            self._refuse(what, status, content)
        return status, content

    def _ask(self, what: str, request: Mapping[str, Any]) -> tuple[int, Any]:
        """Ask, and once more with a new credential if that may be what is wrong."""
        client, failures = self._client, _list_failures()
        try:
            answer = _call(client, request)
            if answer[0] != _UNAUTHORIZED or not self._take_new(client):
                return answer
        except failures as error:
            if not (certificates.is_about_tls(error) and self._take_new(client)):
                raise self._explain(what, error) from error
        try:
            return _call(self._client, request)
        except failures as error:
            raise self._explain(what, error) from error

    def _explain(self, what: str, error: Exception) -> errors.ConnectError:
        if explained := certificates.explain(error):
            return errors.ConnectError(
                f"{what} in {self.context}: {explained} of the kubeconfig. Nothing was sent. Run "
                "it again, which fetches the kubeconfig again; look for a proxy in between."
            )
        return errors.ConnectError(
            f"{what} in {self.context}: the cluster does not answer ({type(error).__name__}). "
            "Is it stopped?"
        )

    def _take_new(self, refused: Any) -> bool:
        """Load the kubeconfig again after it was renewed; False: it is still the same one."""
        with self._renewing:
            if self._client is not refused:  # another thread was first
                return True
            if self._renew is not None:
                self._renew()
            if self._kubeconfig.read_bytes() == self._loaded:
                return False
            self._client = self._load()  # the other one may still be in use
            return True

    def _refuse(self, what: str, status: int, content: Any) -> None:
        said = content.get("message", "") if isinstance(content, dict) else content
        message = f"{what} in {self.context}: {status} {said}"
        if status == _NOT_FOUND:
            raise errors.NotFoundError(message)
        if status == _UNAUTHORIZED:
            raise errors.ConnectError(
                f"{message}: the cluster refuses the credential of {self._kubeconfig.name}. "
                "Expected the one that Azure hands out now (az aks get-credentials). Check that "
                "local accounts are enabled, and run it again."
            )
        if status == _FORBIDDEN:
            raise errors.ConnectError(
                f"{message}. Expected a role that allows it; have it given and run it again."
            )
        raise errors.StepError(message)


def _call(client: Any, request: Mapping[str, Any]) -> tuple[int, Any]:
    answer = client.call_api(
        *client.param_serialize(**request), _request_timeout=(_CONNECT_SECONDS, _READ_SECONDS)
    )
    content = answer.read()
    if str(answer.headers.get("Content-Type")).startswith("text/plain"):  # a pod's log
        return answer.status, content.decode(errors="replace")
    return answer.status, json.loads(content)


def _list_failures() -> tuple[type[Exception], ...]:
    """What is raised where there is no answer that can be read."""
    from kubernetes.client.exceptions import ApiException
    from urllib3.exceptions import HTTPError

    return (ApiException, HTTPError, OSError, ValueError)


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
