"""Routes as data: what is emulated, and an honest answer for what is not. No IO.

A template is matched in any letter case, and its own spelling becomes the resource id (names keep
the caller's). The list of routes is at once the documentation: :func:`list_coverage`.
"""

import dataclasses
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from azrunbook.sandbox.arm import errors, paths

GROUP = "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}"
SUBSCRIPTION = "/subscriptions/{subscriptionId}"
_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}
_PARAMETER = re.compile(r"\{(\w+)\}")
_FOLDER = "azrunbook/sandbox/arm/providers"


@dataclasses.dataclass(frozen=True)
class Call:
    """One request, after authentication and routing.

    Attributes:
        origin: scheme and host the client used, for absolute URLs in answers.
        path: the request path as sent.
        resource: the resource addressed, or the parent of the collection.
        query: query parameters; names in lower case.
        headers: request headers; names in lower case.
        body: the JSON document sent, empty when there was none.
    """

    method: str
    origin: str
    path: str
    resource: paths.ResourceId
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: dict[str, Any]

    @property
    def api_version(self) -> str:
        return self.query["api-version"]

    @property
    def action(self) -> str:
        """What roles and the activity log call it: ``Microsoft.Cdn/profiles/write``."""
        tail = self.path.rpartition("/")[2]
        is_look = tail.lower() == "checknameavailability"
        verb = _VERBS.get(self.method) or ("read" if is_look else f"{tail}/action")
        kind = self.resource.type.replace("/resourceGroups", "/subscriptions/resourceGroups")
        return f"{kind}/{verb}"


@dataclasses.dataclass(frozen=True)
class Answer:
    """What goes back: no body at all when it is None."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


Handler = Callable[[Call], Answer]
# For what only a backend knows now. It changes nothing, and nobody records it.
Reader = Callable[[Call], Awaitable[Answer]]


@dataclasses.dataclass(frozen=True)
class Route:
    """One operation: named as in Azure's own specifications, e.g. ``ManagedClusters_Get``."""

    method: str
    template: str
    operation: str
    handler: Handler | Reader
    api_versions: tuple[str, ...]

    @property
    def namespace(self) -> str:
        found = re.search(r"/providers/(Microsoft\.[\w.]+)", self.template)
        return found[1] if found else "Microsoft.Resources"

    def check_api_version(self, version: str) -> None:
        """Refuse a version this operation is not known in.

        Raises:
            errors.ArmError: 400, listing the versions that are accepted.
        """
        if version not in self.api_versions:
            raise errors.bad_request(
                f"The api-version '{version}' is invalid for {self.operation} of "
                f"'{self.namespace}'. The supported versions are '{','.join(self.api_versions)}'.",
                code="InvalidApiVersionParameter",
            )


@dataclasses.dataclass(frozen=True)
class CoverageRow:
    """One emulated operation, for the coverage table of the documentation."""

    provider: str
    operation: str
    method: str
    path: str
    api_versions: tuple[str, ...]


class RouteTable:
    """Finds the route of a request."""

    def __init__(self, routes: Iterable[Route]) -> None:
        # Literal segments win over parameters: fewer parameters are tried first.
        ordered = sorted(routes, key=lambda route: len(_PARAMETER.findall(route.template)))
        self._routes = [(_pattern(route.template), route) for route in ordered]

    @property
    def routes(self) -> list[Route]:
        return [route for _, route in self._routes]

    def match(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """Return the route and its path parameters; a HEAD is served by the GET if need be.

        Raises:
            errors.ArmError: 404 that names the operation and the file to add it to.
        """
        path = path.rstrip("/")
        for wanted in (method, "GET") if method == "HEAD" else (method,):
            for pattern, route in self._routes:
                if route.method == wanted and (found := pattern.fullmatch(path)):
                    return route, found.groupdict()
        raise not_emulated(method, path)


def fill(template: str, parameters: Mapping[str, str]) -> str:
    """Return the template with its parameters put in: canonical spelling, the caller's names."""
    return _PARAMETER.sub(lambda found: parameters[found[1]], template)


def not_emulated(method: str, path: str) -> errors.ArmError:
    """Return the 404 that says what is missing and where it would go."""
    operation, namespace = _describe(path)
    stem = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", namespace.removeprefix("Microsoft.")).lower()
    return errors.ArmError(
        404,
        "NotEmulated",
        f"{method} {operation} is not emulated. Emulated operations: "
        f"{_FOLDER}/{stem}.py; add a Route there.",
    )


def list_coverage(routes: Iterable[Route]) -> list[CoverageRow]:
    """Return what is emulated, by provider and operation."""
    rows = {
        CoverageRow(r.namespace, r.operation, r.method, r.template, r.api_versions) for r in routes
    }
    return sorted(rows, key=lambda row: (row.provider, row.operation, row.method, row.path))


def _pattern(template: str) -> re.Pattern[str]:
    pieces = _PARAMETER.split(template)
    text = "".join(
        f"(?P<{piece}>[^/]+)" if index % 2 else re.escape(piece)
        for index, piece in enumerate(pieces)
    )
    return re.compile(text, re.IGNORECASE)


def _describe(path: str) -> tuple[str, str]:
    try:
        resource, tail = paths.split(path)
    except paths.InvalidIdError:
        return path, "Microsoft.Resources"
    name = "/".join(filter(None, [resource.type, tail]))
    return name, resource.namespace or "Microsoft.Resources"
