"""What the edge is to do, read out of the Microsoft.Cdn resources; pure, no IO and no clock.

ARM JSON ends here: it comes in as camelCase dictionaries and leaves as frozen dataclasses. Only
what ARM has accepted takes part (`provisioningState` Succeeded), and of that only what is enabled;
a disabled origin stays in its group, marked, so that `status()` can show it. Ids and types are
compared without regard to letter case, as ARM itself spells them differently from call to call.

Not emulated: rule sets, session affinity, WAF policies,
`trafficRestorationTimeToHealedOrNewEndpointsInMinutes` (Azure does not act on it either).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Resource = Mapping[str, Any]

_PROFILE = "microsoft.cdn/profiles"
_ENDPOINT = f"{_PROFILE}/afdendpoints"
_ROUTE = f"{_ENDPOINT}/routes"
_DOMAIN = f"{_PROFILE}/customdomains"
_GROUP = f"{_PROFILE}/origingroups"
_ORIGIN = f"{_GROUP}/origins"
_TYPES = frozenset({_PROFILE, _ENDPOINT, _ROUTE, _DOMAIN, _GROUP, _ORIGIN})

# What Front Door assumes where the API lets a property out.
_RESPONSE_TIMEOUT_SECONDS = 30
_PROBE_INTERVAL_SECONDS = 240
_SAMPLE_SIZE = 4
_SUCCESSFUL_SAMPLES = 3
_ADDITIONAL_LATENCY_MILLISECONDS = 50
_WEIGHT = 50


@dataclass(frozen=True)
class Probe:
    """How the origins of a group are asked for their health; `method` is HEAD or GET."""

    path: str
    method: str
    is_https: bool
    interval_seconds: float


@dataclass(frozen=True)
class Balancing:
    """Healthy is: at least `successful_samples` of the last `sample_size` probes were good."""

    sample_size: int
    successful_samples: int
    additional_latency_seconds: float


@dataclass(frozen=True)
class Link:
    """A private way to an origin: the id of what it leads to, and what its owner says to it."""

    target: str
    status: str

    @property
    def is_open(self) -> bool:
        return self.status == "Approved"


@dataclass(frozen=True)
class Origin:
    """One place a request can go to; `host_header` None passes the client's host on."""

    id: str
    name: str
    host: str
    http_port: int
    https_port: int
    host_header: str | None
    priority: int
    weight: int
    is_enabled: bool
    checks_certificate_name: bool
    link: Link | None = None

    def port(self, *, is_https: bool) -> int:
        """The port of a protocol; probes use the same ports as requests."""
        return self.https_port if is_https else self.http_port


@dataclass(frozen=True)
class OriginGroup:
    """Origins with one idea of health; without a probe every origin counts as healthy."""

    id: str
    name: str
    profile: str
    balancing: Balancing
    probe: Probe | None
    origins: tuple[Origin, ...]


@dataclass(frozen=True)
class Caching:
    """Copies are kept; `query` is Azure's word for what of a query string tells them apart."""

    query: str
    parameters: frozenset[str]


@dataclass(frozen=True)
class Route:
    """Which requests (protocol, host, path) go to which group, and how they are forwarded.

    `forwarding` is MatchRequest, HttpOnly or HttpsOnly; `origin_path` replaces the matched part
    of the path when it is not empty.
    """

    id: str
    name: str
    hosts: tuple[str, ...]
    patterns: tuple[str, ...]
    accepts_http: bool
    accepts_https: bool
    redirects_to_https: bool
    forwarding: str
    origin_path: str
    group_id: str
    front_door_id: str
    response_timeout_seconds: float
    caching: Caching | None = None


@dataclass(frozen=True)
class EdgeConfig:
    """Everything the edge knows: routes in the order of their ids, groups by id."""

    routes: tuple[Route, ...] = ()
    groups: Mapping[str, OriginGroup] = field(default_factory=dict)


class Deployment:
    """The last accepted version of every resource: what the edge sites still run.

    While ARM is updating a resource its state is not Succeeded, yet Front Door goes on serving the
    version before. Feeding the store through this keeps that version until the new one is accepted
    and drops a resource only once ARM no longer lists it.
    """

    def __init__(self) -> None:
        self._accepted: dict[str, Resource] = {}

    def take(self, resources: Iterable[Resource]) -> EdgeConfig:
        """The configuration after the store's present content, changes in progress left out."""
        present: dict[str, Resource] = {}
        for resource in resources:
            if _type(resource) not in _TYPES:
                continue
            key = _id(resource)
            accepted = resource if _is_accepted(resource) else self._accepted.get(key)
            if accepted is not None:
                present[key] = accepted
        self._accepted = present
        return edge_config(present.values())


def edge_config(resources: Iterable[Resource]) -> EdgeConfig:
    """Read the edge's configuration out of ARM resources; other types are passed over."""
    kinds: dict[str, dict[str, Resource]] = defaultdict(dict)
    for resource in sorted(resources, key=_id):
        if _type(resource) in _TYPES and _is_accepted(resource):
            kinds[_type(resource)][_id(resource)] = resource
    groups = {
        key: _group(resource, kinds[_ORIGIN])
        for key, resource in kinds[_GROUP].items()
        if _ancestor(key, 2) in kinds[_PROFILE]
    }
    routes = [_route(resource, kinds) for resource in kinds[_ROUTE].values()]
    return EdgeConfig(
        routes=tuple(route for route in routes if route and route.group_id in groups),
        groups=groups,
    )


def _route(resource: Resource, kinds: Mapping[str, Mapping[str, Resource]]) -> Route | None:
    """The route, or None while it, its endpoint or its profile takes no part."""
    key, properties = _id(resource), resource["properties"]
    endpoint = kinds[_ENDPOINT].get(_ancestor(key, 2))
    profile = kinds[_PROFILE].get(_ancestor(key, 4))
    if profile is None or endpoint is None or not (_is_enabled(endpoint) and _is_enabled(resource)):
        return None
    hosts = [_host(endpoint)] if properties.get("linkToDefaultDomain") == "Enabled" else []
    for reference in properties.get("customDomains") or ():
        domain = kinds[_DOMAIN].get(str(reference["id"]).lower())
        hosts += [_host(domain)] if domain else []
    protocols = properties.get("supportedProtocols") or ["Http", "Https"]
    return Route(
        id=key,
        name=str(resource["name"]),
        hosts=tuple(hosts),
        patterns=tuple(properties.get("patternsToMatch") or ["/*"]),
        accepts_http="Http" in protocols,
        accepts_https="Https" in protocols,
        redirects_to_https=properties.get("httpsRedirect") == "Enabled",
        forwarding=properties.get("forwardingProtocol") or "MatchRequest",
        origin_path=properties.get("originPath") or "",
        group_id=str((properties.get("originGroup") or {}).get("id", "")).lower(),
        front_door_id=str(profile["properties"].get("frontDoorId", "")),
        response_timeout_seconds=float(
            profile["properties"].get("originResponseTimeoutSeconds") or _RESPONSE_TIMEOUT_SECONDS
        ),
        caching=_caching(properties.get("cacheConfiguration")),
    )


def _caching(settings: Mapping[str, Any] | None) -> Caching | None:
    if not settings:
        return None
    parameters = str(settings.get("queryParameters") or "").split(",")
    return Caching(
        query=str(settings.get("queryStringCachingBehavior") or "IgnoreQueryString"),
        parameters=frozenset(name.strip() for name in parameters if name.strip()),
    )


def _group(resource: Resource, origins: Mapping[str, Resource]) -> OriginGroup:
    key, properties = _id(resource), resource["properties"]
    balancing = properties.get("loadBalancingSettings") or {}
    latency = balancing.get("additionalLatencyInMilliseconds", _ADDITIONAL_LATENCY_MILLISECONDS)
    return OriginGroup(
        id=key,
        name=str(resource["name"]),
        profile=_ancestor(key, 2).rpartition("/")[2],
        balancing=Balancing(
            sample_size=int(balancing.get("sampleSize", _SAMPLE_SIZE)),
            successful_samples=int(balancing.get("successfulSamplesRequired", _SUCCESSFUL_SAMPLES)),
            additional_latency_seconds=latency / 1000,
        ),
        probe=_probe(properties.get("healthProbeSettings")),
        origins=tuple(_origin(o) for o in origins.values() if _ancestor(_id(o), 2) == key),
    )


def _probe(settings: Mapping[str, Any] | None) -> Probe | None:
    if not settings or settings.get("probeProtocol") == "NotSet":
        return None
    return Probe(
        path=settings.get("probePath") or "/",
        method="GET" if settings.get("probeRequestType") == "GET" else "HEAD",
        is_https=settings.get("probeProtocol") == "Https",
        interval_seconds=float(settings.get("probeIntervalInSeconds") or _PROBE_INTERVAL_SECONDS),
    )


def _origin(resource: Resource) -> Origin:
    properties = resource["properties"]
    return Origin(
        id=_id(resource),
        name=str(resource["name"]),
        host=_host(resource),
        http_port=int(properties.get("httpPort") or 80),
        https_port=int(properties.get("httpsPort") or 443),
        host_header=properties.get("originHostHeader") or None,
        priority=int(properties.get("priority") or 1),
        weight=int(properties.get("weight") or _WEIGHT),
        is_enabled=_is_enabled(resource),
        checks_certificate_name=properties.get("enforceCertificateNameCheck") is not False,
        link=_link(properties.get("sharedPrivateLinkResource")),
    )


def _link(shared: Mapping[str, Any] | None) -> Link | None:
    if not shared:
        return None
    return Link(str(shared["privateLink"]["id"]).lower(), str(shared.get("status", "Pending")))


def _id(resource: Resource) -> str:
    return str(resource["id"]).lower()


def _type(resource: Resource) -> str:
    return str(resource["type"]).lower()


def _host(resource: Resource) -> str:
    return str(resource["properties"]["hostName"]).lower()


def _is_accepted(resource: Resource) -> bool:
    properties = resource.get("properties") or {}
    return str(properties.get("provisioningState")).lower() == "succeeded"


def _is_enabled(resource: Resource) -> bool:
    return bool(resource["properties"].get("enabledState", "Enabled") == "Enabled")


def _ancestor(resource_id: str, segments: int) -> str:
    """The id with its last path segments removed; two segments are one level of nesting."""
    return resource_id.rsplit("/", segments)[0]
