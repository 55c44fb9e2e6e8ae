"""What the edge keeps copies of: lifetimes as tables, hits and misses through a running edge."""

import dataclasses

import edge_site
import pytest
from aiohttp import web

from azrunbook.sandbox.edge import cache

CACHED = {"cacheConfiguration": {"queryStringCachingBehavior": "IgnoreQueryString"}}
SATURDAY = "Sat, 28 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (200, {"Cache-Control": "public, max-age=60"}, 60),
        (200, {"cache-control": "max-age=60, s-maxage=7"}, 7),
        (200, {}, 86_400),
        (200, {"Expires": SATURDAY, "Date": "Sat, 28 Nov 2026 11:59:00 GMT"}, 60),
        (200, {"Expires": "0"}, 0),
        (200, {"Cache-Control": "private, max-age=60"}, 0),
        (200, {"Cache-Control": "no-store"}, 0),
        (200, {"Cache-Control": "no-cache"}, 0),
        (200, {"Cache-Control": "max-age=0"}, 0),
        (200, {"Vary": "Accept-Encoding"}, 86_400),
        (200, {"Vary": "Cookie"}, 0),
        (206, {"Cache-Control": "max-age=60"}, 0),
        (404, {"Cache-Control": "max-age=60"}, 0),
    ],
)
def test_an_answer_says_how_long_it_may_be_kept(status, headers, seconds):
    """The shared lifetime before the other; without a word a day; what refuses, not at all."""
    assert cache.find_lifetime(status, tuple(headers.items())) == seconds


@pytest.mark.parametrize(
    ("behaviour", "names", "query", "counts"),
    [
        ("IgnoreQueryString", "", "a=1&b=2", ""),
        ("UseQueryString", "", "b=2&a=1", "b=2&a=1"),
        ("IgnoreSpecifiedQueryStrings", "b, c", "a=1&b=2", "a=1"),
        ("IncludeSpecifiedQueryStrings", "b", "a=1&b=2", "b=2"),
    ],
)
def test_a_route_says_what_of_a_query_tells_copies_apart(behaviour, names, query, counts):
    """All of it, nothing, or the parameters that are named or not."""
    settings = {"queryStringCachingBehavior": behaviour, "queryParameters": names}
    edge = edge_site.configured(edge_site.region("e"), route={"cacheConfiguration": settings})
    (route,) = edge.routes
    asked = {"host": "h", "path": "/p", "query": query, "headers": ()}
    assert cache.find_key(route, method="GET", **asked) == ("h", "/p", counts)
    assert cache.find_key(route, method="POST", **asked) is None
    assert cache.find_key(route, method="GET", **{**asked, "headers": ("Range",)}) is None
    uncached = dataclasses.replace(route, caching=None)
    assert cache.find_key(uncached, method="GET", **asked) is None


def test_copies_grow_old_are_purged_and_make_room():
    """By the clock; by host and path with a wildcard at the end; the least used first."""
    now = 0.0
    kept = cache.Cache(lambda: now)
    headers = (("Cache-Control", "max-age=10"),)
    keys = [("h", "/a/1", ""), ("h", "/a/2", ""), ("h", "/b", ""), ("g", "/a/1", "")]
    for key in keys:
        kept.keep(key, headers, b"x")
    kept.purge(["h"], ["/a/*"])
    assert [kept.find(key) is not None for key in keys] == [False, False, True, True]
    for number in range(9):
        kept.keep(("big", str(number), ""), headers, bytes(cache.MAX_BYTES))
    assert kept.find(("h", "/b", "")) is None
    assert kept.find(("big", "8", "")) is not None
    now = 10.0
    assert kept.find(("big", "8", "")) is None


async def test_a_copy_is_served_without_the_origin(make_origin, make_site):
    """The second request is a hit, whatever its query; what the client has already is not sent."""

    async def answer(request):
        assert "Accept-Language" not in request.headers
        says = {"/private": "private", "/static/a.css": "public, max-age=60"}
        headers = {"Cache-Control": says[request.path], "ETag": '"1"'}
        return web.Response(text=request.path_qs, headers=headers)

    origin = await make_origin("east", answer)
    site = await make_site(origin)
    site.edge.configure(edge_site.configured(edge_site.region("east"), route=CACHED))

    async def ask(path, method="GET", **headers):
        headers["Accept-Language"] = "en"
        async with site.request(method, path, headers=headers) as found:
            return found.status, found.headers["X-Cache"], await found.text()

    assert await ask("/static/a.css?v=1") == (200, "TCP_MISS", "/static/a.css?v=1")
    await origin.stop()
    assert await ask("/static/a.css?v=2") == (200, "TCP_HIT", "/static/a.css?v=1")
    assert await ask("/static/a.css", "HEAD") == (200, "TCP_HIT", "")
    assert await ask("/static/a.css", **{"If-None-Match": '"1"'}) == (304, "TCP_HIT", "")
    site.edge.purge([edge_site.HOST], ["/static/*"])
    assert (await ask("/static/a.css"))[0] == 503
    await origin.start()
    for _ in range(2):
        assert await ask("/private") == (200, "PRIVATE_NOSTORE", "/private")
    assert await ask("/static/a.css") == (200, "TCP_MISS", "/static/a.css")
    site.edge.configure(edge_site.configured(edge_site.region("east")))
    assert (await ask("/static/a.css"))[1] == "CONFIG_NOCACHE"
