"""What the edge keeps copies of, for how long, and under which key. No IO; the clock is given.

By Front Door's "caching" article: GET answers with status 200 of a route that has a cache
configuration, unless they say private, no-cache or no-store; for s-maxage, else max-age, else until
Expires, else for a day (Azure: a random time from one to three days). A request with a range or a
credential goes to the origin. Least recently used copies make room for new ones.

Not emulated: compression, chunks of big objects (they are not kept), answers that vary.
"""

import collections
import datetime as dt
import fnmatch
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from email import utils
from http import HTTPStatus

from azrunbook.sandbox.edge import config

HIT, MISS, NOT_STORED = "TCP_HIT", "TCP_MISS", "PRIVATE_NOSTORE"
NOT_CONFIGURED = "CONFIG_NOCACHE"
# Not passed on where answers are shared: one client's wishes must not shape another's copy.
WISHES = frozenset({"accept", "accept-charset", "accept-encoding", "accept-language"})
_DEFAULT_SECONDS = 86_400.0
MAX_BYTES = 8 << 20
_CAPACITY_BYTES = 64 << 20
_REFUSING = frozenset({"private", "no-cache", "no-store"})

Headers = tuple[tuple[str, str], ...]
# Host, path and what of the query tells copies apart.
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Copy:
    """An answer with status 200; ``fresh_until`` in the clock's seconds."""

    headers: Headers
    body: bytes
    fresh_until: float

    def find_header(self, name: str) -> str:
        return _find(self.headers, name)


class Cache:
    """Copies by key."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._copies: collections.OrderedDict[Key, Copy] = collections.OrderedDict()

    def find(self, key: Key) -> Copy | None:
        """Return a copy that is fresh."""
        copy = self._copies.get(key)
        if copy is None or copy.fresh_until <= self._clock():
            self._copies.pop(key, None)
            return None
        self._copies.move_to_end(key)
        return copy

    def keep(self, key: Key, headers: Headers, body: bytes) -> None:
        """Keep a copy of an answer that :func:`find_lifetime` has a lifetime for."""
        seconds = find_lifetime(HTTPStatus.OK, headers)
        if not seconds or len(body) > MAX_BYTES:
            return
        self._copies[key] = Copy(headers, body, self._clock() + seconds)
        self._copies.move_to_end(key)
        while sum(len(copy.body) for copy in self._copies.values()) > _CAPACITY_BYTES:
            self._copies.popitem(last=False)

    def purge(self, hosts: Iterable[str], paths: Iterable[str]) -> None:
        """Drop the copies of these paths, ``*`` at an end standing for anything."""
        names, patterns = set(hosts), [path.lower() for path in paths]
        for key in list(self._copies):
            is_meant = any(fnmatch.fnmatchcase(key[1].lower(), pattern) for pattern in patterns)
            if key[0] in names and is_meant:
                del self._copies[key]


def find_key(
    route: config.Route, *, method: str, host: str, path: str, query: str, headers: Iterable[str]
) -> Key | None:
    """Return what a request's copy is kept under; None when it has none."""
    asked = {name.lower() for name in headers}
    if route.caching is None or method not in {"GET", "HEAD"} or asked & {"range", "authorization"}:
        return None
    return host, path, _select(route.caching, query)


def _select(caching: config.Caching, query: str) -> str:
    """Return the part of a query string that counts."""
    if caching.query == "UseQueryString":
        return query
    pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
    named = {
        "IgnoreSpecifiedQueryStrings": [p for p in pairs if p[0] not in caching.parameters],
        "IncludeSpecifiedQueryStrings": [p for p in pairs if p[0] in caching.parameters],
    }
    return urllib.parse.urlencode(named.get(caching.query, []))


def find_lifetime(status: int, headers: Headers) -> float:
    """Return for how many seconds an answer may be kept; 0: not at all."""
    directives = _read_directives(_find(headers, "cache-control"))
    varies = _find(headers, "vary").lower()
    if status != HTTPStatus.OK or directives.keys() & _REFUSING or varies not in _HARMLESS:
        return 0
    for name in ("s-maxage", "max-age"):
        if directives.get(name, "").isdigit():
            return float(directives[name])
    if expires := _find(headers, "expires"):
        return _read_expiry(expires, _find(headers, "date"))
    return _DEFAULT_SECONDS


_HARMLESS = frozenset({"", "accept-encoding"})


def _read_directives(text: str) -> Mapping[str, str]:
    pairs = (part.strip().lower().partition("=") for part in text.split(","))
    return {name: value.strip('"') for name, _, value in pairs if name}


def _read_expiry(expires: str, date: str) -> float:
    try:
        until = utils.parsedate_to_datetime(expires)
        now = utils.parsedate_to_datetime(date) if date else dt.datetime.now(dt.UTC)
    except ValueError:  # as caches do: a date that is none is past
        return 0
    return max(0.0, (until - now).total_seconds())


def _find(headers: Headers, name: str) -> str:
    return next((value for key, value in headers if key.lower() == name), "")
