"""What the edge says by itself: error pages, the redirect, its status; no IO.

Front Door's own pages are short HTML with the request's reference at the end, so that a user can
quote it.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web

from azrunbook.sandbox.edge import config, health

_PAGE = """<!DOCTYPE html>
<html><head><title>{title}</title></head>
<body><h2>{title}</h2><p>{text}</p><p>{reference}</p></body></html>
"""


def wants_debug(request: web.BaseRequest) -> bool:
    """Whether the client asked for Front Door's optional headers."""
    return request.headers.get("X-Azure-DebugInfo") == "1"


def not_found(reference: str, *, is_known_host: bool) -> web.Response:
    """No route takes this request: Front Door answers 404 for host and path alike."""
    what = "path or protocol" if is_known_host else "host name"
    text = f"The resource you are looking for is not here: no route has this {what}."
    return _page(HTTPStatus.NOT_FOUND, "Page not found", text, reference)


def redirect(location: str, reference: str) -> web.Response:
    """To HTTPS; 307, so that a method and a body are kept."""
    return web.Response(
        status=HTTPStatus.TEMPORARY_REDIRECT,
        headers={"Location": location, "X-Azure-Ref": reference},
    )


def unavailable(
    request: web.BaseRequest,
    reference: str,
    *,
    reason: str,
    status: HTTPStatus = HTTPStatus.SERVICE_UNAVAILABLE,
) -> web.Response:
    """No answer from the origin: 503, or 504 after its time ran out; the reason on request."""
    response = _page(
        status,
        "Our services aren't available right now",
        "The site behind this address does not answer. Please try again soon.",
        reference,
    )
    response.headers["X-Cache"] = "CONFIG_NOCACHE"
    if wants_debug(request):
        # A reason may quote an origin's words; a header has one line.
        response.headers["X-Azure-ExternalError"] = " ".join(reason.split())
    return response


def status(
    edge: config.EdgeConfig,
    monitor: health.Monitor,
    *,
    address: str,
    ports: Mapping[str, int],
    is_propagating: bool,
) -> dict[str, Any]:
    """The edge's state as JSON, instants in ISO 8601, UTC."""
    return {
        "address": address,
        "ports": dict(ports),
        "is_propagating": is_propagating,
        "hosts": sorted({host for route in edge.routes for host in route.hosts}),
        "origins": [
            _origin(group, origin, monitor)
            for group in edge.groups.values()
            for origin in group.origins
        ],
        "transitions": [
            {
                "at": transition.at.isoformat(),
                "origin_group": transition.group,
                "origin": transition.origin,
                "is_healthy": transition.is_healthy,
                "good_samples": transition.good_samples,
                "result": transition.result,
            }
            for transition in monitor.transitions
        ],
    }


def _origin(
    group: config.OriginGroup, origin: config.Origin, monitor: health.Monitor
) -> dict[str, Any]:
    """One origin; `is_healthy` is None where nothing probes it."""
    window = monitor.find_window(origin)
    latency_seconds = window.latency_seconds if window else None
    return {
        "profile": group.profile,
        "origin_group": group.name,
        "origin": origin.name,
        "host": origin.host,
        "priority": origin.priority,
        "weight": origin.weight,
        "is_enabled": origin.is_enabled,
        "is_healthy": window.is_healthy if window else None,
        "good_samples": window.good_samples if window else None,
        "samples": window.size if window else None,
        "latency_seconds": None if latency_seconds is None else round(latency_seconds, 4),
        "last_result": window.last_result if window else None,
    }


def _page(code: HTTPStatus, title: str, text: str, reference: str) -> web.Response:
    return web.Response(
        status=code,
        text=_PAGE.format(title=title, text=text, reference=reference),
        content_type="text/html",
        headers={"X-Azure-Ref": reference},
    )
