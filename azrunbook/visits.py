"""Probe rows: visits that the application records in its database, and which of them are left.

Asks the public endpoint, because the database is private. A visit counts as confirmed when the
application answered 201 for it; after a failover each confirmed one is looked up again, and what is
missing is what was lost (:mod:`azrunbook.writes` judges it).
"""

import ssl
import time
from collections.abc import Sequence
from concurrent import futures
from http import HTTPStatus
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import httpx

from azrunbook import certificates, errors, writes

PATH = "/api/visits"
_WORKERS = 8


def read_id(answer: httpx.Response) -> str:
    """The id of the visit that an answer confirms; empty when it confirms none."""
    return str(answer.json()["visit"]) if answer.status_code == HTTPStatus.CREATED else ""


class Visits:
    """The application's visits; a context manager.

    Args:
        url: of the application, without a path, with the public host name.
        connect_to: ``address:port`` to connect to instead of what DNS says.
        ca_bundle: PEM file of the trusted authorities; None: the system's.
        timeout_seconds: for one request.
    """

    def __init__(
        self,
        url: str,
        *,
        connect_to: str = "",
        ca_bundle: Path | None = None,
        timeout_seconds: float = 10,
    ) -> None:
        parts = urlsplit(url)
        self._name = parts.netloc
        self._client = httpx.Client(
            base_url=parts._replace(netloc=connect_to or parts.netloc).geturl(),
            headers={"Host": parts.netloc},
            verify=ssl.create_default_context(cafile=ca_bundle and str(ca_bundle)),
            timeout=timeout_seconds,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._client.close()

    def record(self) -> writes.Write | None:
        """Record a visit; None when it was not confirmed, whatever became of it.

        Raises:
            StepError: the application has no visits: it was released without a database.
            ConnectError: whoever answers does not prove to be the endpoint.
        """
        asked_at = time.time()
        try:
            answer = self._ask("POST", PATH)
        except httpx.HTTPError:
            return None
        visit = read_id(answer)
        return writes.Write(visit, asked_at, time.time()) if visit else None

    def list_lost(self, confirmed: Sequence[writes.Write]) -> list[str]:
        """Look every confirmed visit up; the ids of those that are not there.

        Raises:
            StepError: one could not be looked up: nothing can be said yet.
        """
        with futures.ThreadPoolExecutor(max_workers=_WORKERS) as pool:
            found = list(pool.map(self._is_there, confirmed))
        return [one.id for one, is_there in zip(confirmed, found, strict=True) if not is_there]

    def _is_there(self, visit: writes.Write) -> bool:
        try:
            answer = self._ask("GET", f"{PATH}/{visit.id}")
        except httpx.HTTPError as error:
            raise errors.StepError(f"{self._name}: no answer ({error}). Ask again.") from error
        is_told = answer.status_code == HTTPStatus.OK or _is_unknown(answer)
        if not is_told:
            raise errors.StepError(
                f"{self._name} answers {answer.status_code} for visit {visit.id}; expected 200 or "
                "404. Is the database promoted? Ask again when it is."
            )
        return answer.status_code == HTTPStatus.OK

    def _ask(self, method: str, path: str) -> httpx.Response:
        sni = {"sni_hostname": self._name.partition(":")[0]}
        try:
            answer = self._client.request(method, path, extensions=sni)
        except httpx.ConnectError as error:
            name, url = sni["sni_hostname"], str(self._client.base_url)
            if explained := certificates.explain(error, name=name, url=url):
                raise errors.ConnectError(
                    f"visits: {explained}. Check the endpoint's certificate and the connection's "
                    "ca_bundle."
                ) from error
            raise
        if method == "POST" and _is_unknown(answer):
            raise errors.StepError(
                f"{self._name} has no {PATH}: the application was released without a database. "
                "Release it with data.secretName."
            )
        return answer


def _is_unknown(answer: httpx.Response) -> bool:
    """Whether the application says 404, and not something between it and us."""
    return answer.status_code == HTTPStatus.NOT_FOUND and "x-app-version" in answer.headers
