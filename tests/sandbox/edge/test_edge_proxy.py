"""What passes through the edge, and what the edge answers by itself."""

import asyncio
import gzip
import hashlib
import io

import edge_site
import pytest
from aiohttp import web


@pytest.fixture
async def echo_site(make_origin, make_site):
    """An edge before one origin that tells what it was asked."""

    async def echo(request):
        body = await request.content.read()
        response = web.Response(
            body=hashlib.sha256(body).hexdigest(),
            status=201,
            headers={"X-Path": request.raw_path, "X-Length": str(len(body)), "Server": "shop"},
        )
        response.headers.add("Set-Cookie", "a=1")
        response.headers.add("Set-Cookie", "b=2")
        return response

    site = await make_site(await make_origin("east", echo))
    site.edge.configure(edge_site.configured(edge_site.region("east")))
    return site


async def test_a_request_reaches_the_origin_unchanged(echo_site):
    """Method, path, query and body arrive as the client sent them; so does the answer."""
    body, path = b"x" * 3_000_000, "/a%2Fb%20c?q=1&q=%C3%A4"
    async with echo_site.request("PUT", path, data=io.BytesIO(body)) as answer:
        assert answer.status == 201
        assert answer.headers["X-Path"] == path
        assert answer.headers.getall("Set-Cookie") == ["a=1", "b=2"]
        assert await answer.text() == hashlib.sha256(body).hexdigest()


async def test_a_chunked_upload_passes(echo_site):
    """A body without a length is streamed on in chunks."""

    async def parts():
        for _ in range(10):
            yield b"y" * 50_000

    async with echo_site.request("POST", data=parts()) as answer:
        assert answer.headers["X-Length"] == "500000"


async def test_a_client_that_waits_for_continue_is_answered(echo_site):
    """`Expect: 100-continue` is answered by the edge, so that the body is sent."""
    async with echo_site.request("POST", data=b"z" * 10, expect100=True) as answer:
        assert answer.headers["X-Length"] == "10"


async def test_the_origin_learns_who_asked_and_how(echo_site):
    """X-Forwarded-*, Via and X-Azure-* tell about the client, and the client cannot forge them."""
    forged = {
        "X-Azure-FDID": "forged",
        "X-FD-HealthProbe2": "1",
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Proto": "gopher",
        "Connection": "X-Secret",
        "X-Secret": "hop",
    }
    async with echo_site.request(headers=forged) as answer:
        reference = answer.headers["X-Azure-Ref"]
    seen = echo_site.origins["east"].seen[0].headers
    assert seen["Host"] == edge_site.HOST
    assert seen["X-Forwarded-For"] == "203.0.113.9, 127.0.0.1"
    assert seen["X-Forwarded-Host"] == edge_site.HOST
    assert seen["X-Forwarded-Proto"] == "https"
    assert seen["X-Azure-FDID"] == "11111111-2222-3333-4444-555555555555"
    assert seen["X-Azure-SocketIP"] == "127.0.0.1"
    assert seen["X-Azure-Ref"] == reference
    assert seen["Via"] == "1.1 Azure"
    assert "X-FD-HealthProbe2" not in seen
    assert "X-Secret" not in seen


async def test_the_origin_host_header_replaces_the_client_s(echo_site):
    """With originHostHeader the origin sees that host."""
    origin = edge_site.region("east", originHostHeader="shop.internal")
    echo_site.edge.configure(edge_site.configured(origin))
    await (await echo_site.request()).read()
    assert echo_site.origins["east"].seen[0].headers["Host"] == "shop.internal"


async def test_answers_carry_only_the_origin_s_headers(echo_site):
    """The edge adds its reference and the cache status, and not its own server name."""
    async with echo_site.request() as answer:
        assert answer.headers["Server"] == "shop"
        assert answer.headers["X-Cache"] == "CONFIG_NOCACHE"
        assert "X-Azure-OriginStatusCode" not in answer.headers
    async with echo_site.request(headers={"X-Azure-DebugInfo": "1"}) as answer:
        assert answer.headers["X-Azure-OriginStatusCode"] == "201"


@pytest.mark.parametrize("method", ["HEAD", "GET"])
async def test_head_and_not_modified_have_no_body(make_origin, make_site, method):
    """Answers without a body end where their head ends, and the connection stays usable."""

    async def answer(request):
        if request.path == "/same":
            return web.Response(status=304, headers={"ETag": '"1"'})
        return web.Response(body=b"12345")

    site = await make_site(await make_origin("east", answer))
    site.edge.configure(edge_site.configured(edge_site.region("east")))
    async with site.request("HEAD", "/") as head:
        assert (head.headers["Content-Length"], await head.read()) == ("5", b"")
    async with site.request(method, "/same") as same:
        assert (same.status, same.headers["ETag"], await same.read()) == (304, '"1"', b"")


async def test_a_long_answer_is_streamed_as_it_comes(make_origin, make_site):
    """The first part arrives while the origin still holds the second back."""
    go_on = asyncio.Event()

    async def slow(request):
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        await go_on.wait()
        await response.write(b"second")
        return response

    site = await make_site(await make_origin("east", slow))
    site.edge.configure(edge_site.configured(edge_site.region("east")))
    async with site.request() as answer:
        assert await answer.content.readany() == b"first"
        go_on.set()
        assert await answer.content.read() == b"second"


async def test_a_slow_client_slows_the_origin(make_origin, make_site):
    """The edge does not take more from the origin than the client takes from it."""
    sent = 0

    async def flood(request):
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(2000):
            await response.write(b"x" * 65536)
            sent += 65536
        return response

    site = await make_site(await make_origin("east", flood))
    site.edge.configure(edge_site.configured(edge_site.region("east")))
    async with site.request() as answer:
        await answer.content.readany()
        assert await edge_site.until_steady(lambda: sent) < 2000 * 65536 / 4
        answer.close()


async def test_a_broken_answer_is_not_passed_off_as_whole(make_origin, make_site):
    """An origin that dies in the middle of a body breaks the client's answer too."""

    async def die(request):
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        request.transport.abort()
        return response

    site = await make_site(await make_origin("east", die))
    site.edge.configure(edge_site.configured(edge_site.region("east")))
    async with site.request() as answer:
        with pytest.raises(edge_site.aiohttp.ClientError):
            await answer.read()


async def test_many_requests_are_under_way_at_once(make_origin, make_site):
    """A slow answer delays nobody else: the origin answers only once all hundred are there."""
    all_there = asyncio.Barrier(100)

    async def slow(_request):
        await all_there.wait()
        return web.Response(text="east")

    site = await make_site(await make_origin("east", slow))
    site.edge.configure(edge_site.configured(edge_site.region("east")))
    assert await asyncio.gather(*(site.serving() for _ in range(100))) == ["east"] * 100


async def test_nothing_is_added_but_what_front_door_adds(make_raw_origin, make_origin, make_site):
    """Neither to a bare request nor to a bare answer."""
    bare = await make_origin("east")
    site = await make_site(bare)
    bare.port, heads = await make_raw_origin(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    group = edge_site.configured(edge_site.region("east"), probe={"probeProtocol": "NotSet"})
    site.edge.configure(group)
    added = ("User-Agent", "Accept", "Accept-Encoding")
    async with site.request(skip_auto_headers=added) as answer:
        assert await answer.text() == "ok"
        assert set(answer.headers) == {"Content-Length", "Date", "X-Azure-Ref", "X-Cache"}
    [head] = heads
    assert not [name for name in added if f"\r\n{name.lower()}:" in head.lower()]


async def test_compressed_bodies_pass_as_they_are(echo_site):
    """The origin unpacks what the client packed; the edge touches neither."""
    plain = b"a" * 10_000
    async with echo_site.request(
        "POST", data=gzip.compress(plain), headers={"Content-Encoding": "gzip"}
    ) as answer:
        assert answer.headers["X-Length"] == "10000"


async def test_a_compressed_answer_passes_as_it_is(make_origin, make_site):
    """Bytes, encoding and length are the origin's."""
    packed = gzip.compress(b"b" * 10_000)

    async def answer_packed(_request):
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    site = await make_site(await make_origin("east", answer_packed))
    site.edge.configure(edge_site.configured(edge_site.region("east")))
    async with site.request() as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert await answer.read() == packed


async def test_http_is_redirected_to_https(echo_site):
    """The redirect keeps path and query and names the port the edge has."""
    async with echo_site.request(path="/a?b=c", scheme="http") as answer:
        port = echo_site.edge.https_port
        assert answer.status == 307
        assert answer.headers["Location"] == f"https://{edge_site.HOST}:{port}/a?b=c"


async def test_an_unknown_host_is_404(echo_site):
    """No route has this host name; the page says so, with a reference."""
    async with echo_site.request(host="other.example") as answer:
        assert answer.status == 404
        assert answer.headers["X-Azure-Ref"] in await answer.text()


async def test_an_unmatched_path_is_404(make_origin, make_site):
    """Without a catch-all route, other paths are not found."""
    site = await make_site(await make_origin("east"))
    site.edge.configure(
        edge_site.configured(edge_site.region("east"), route={"patternsToMatch": ["/api/*"]})
    )
    assert await site.serving() == 404


@pytest.mark.parametrize(
    ("break_it", "status", "reason"),
    [("listener", 503, "DNSNameNotResolved"), ("port", 503, "OriginConnectionRefused")],
)
async def test_an_unreachable_origin_is_503(make_origin, make_site, break_it, status, reason):
    """The client gets Front Door's page, and the reason when it asks for it."""
    origin = await make_origin("east")
    site = await make_site(origin)
    site.edge.configure(edge_site.configured(edge_site.region("east")))
    if break_it == "port":
        await origin.stop()
    else:
        origin.is_up = False
    async with site.request(headers={"X-Azure-DebugInfo": "1"}) as answer:
        assert answer.status == status
        assert answer.headers["X-Azure-ExternalError"].startswith(reason)
        assert "services aren't available" in await answer.text()


LINK = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/privateLinkServices/pls"


@pytest.mark.parametrize(
    ("status", "answer"),
    [("Pending", 504), ("Rejected", 504), ("Disconnected", 504), ("Approved", "east")],
)
async def test_a_private_origin_is_reached_through_its_approved_link_alone(
    make_origin, make_site, status, answer
):
    """Its public name leads nowhere; until its owner approves, Front Door gets no answer."""
    site = await make_site(await make_origin("east"), links={LINK.lower(): "east"})
    shared = {"privateLink": {"id": LINK}, "status": status}
    private = edge_site.region("east", hostName="x.example", sharedPrivateLinkResource=shared)
    site.edge.configure(edge_site.configured(private))
    assert await site.serving() == answer


async def test_an_origin_that_does_not_answer_in_time_is_504(make_origin, make_site):
    """After originResponseTimeoutSeconds the edge gives up."""

    async def never(_request):
        await asyncio.Event().wait()

    site = await make_site(await make_origin("east", never))
    site.edge.configure(edge_site.configured(edge_site.region("east"), timeout_seconds=0.2))
    async with site.request(headers={"X-Azure-DebugInfo": "1"}) as answer:
        assert answer.status == 504
        assert answer.headers["X-Azure-ExternalError"].startswith("OriginTimeout")


async def test_a_restarted_origin_does_not_fail_a_get(make_origin, make_site):
    """An origin restarted between two requests costs the client nothing."""
    origin = await make_origin("east")
    site = await make_site(origin)
    site.edge.configure(edge_site.configured(edge_site.region("east")))
    for _ in range(3):
        assert await site.serving() == "east"
        await origin.stop()
        await origin.start()


@pytest.mark.parametrize(("method", "expected"), [("GET", 200), ("DELETE", 200), ("POST", 503)])
async def test_a_stale_connection_is_replaced_where_repeating_does_no_harm(
    make_origin, make_site, method, expected
):
    """The origin drops a kept connection at its second request, unannounced."""
    used = []

    async def once_per_connection(request):
        if request.protocol in used:
            request.transport.abort()
        used.append(request.protocol)
        return web.Response(text="east")

    site = await make_site(await make_origin("east", once_per_connection))
    site.edge.configure(edge_site.configured(edge_site.region("east")))
    assert await site.serving() == "east"
    async with site.request(method) as answer:
        assert answer.status == expected
    assert used[0] is used[1]


async def test_an_origin_that_hangs_up_is_asked_twice_for_a_get_and_once_for_a_post(
    make_origin, make_site
):
    """Only what may be repeated is repeated, and only once, on a new connection."""

    async def hang_up(request):
        request.transport.abort()
        return web.Response()

    origin = await make_origin("east", hang_up)
    site = await make_site(origin)
    site.edge.configure(edge_site.configured(edge_site.region("east")))
    assert await site.serving() == 503
    assert len(origin.seen) == 2
    async with site.request("POST", data=b"once") as answer:
        assert answer.status == 503
    assert len(origin.seen) == 3


async def test_an_https_origin_is_verified_by_its_own_name(make_origin, make_site, authority):
    """HttpsOnly goes to the HTTPS port; a certificate of another name is refused."""
    origin = await make_origin("east", ssl_context=authority.server_context("east.example"))
    wrong = await make_origin("west", ssl_context=authority.server_context("other.example"))
    site = await make_site(origin, wrong)
    for name, served in (("east", "east"), ("west", 503)):
        site.edge.configure(
            edge_site.configured(edge_site.region(name), route={"forwardingProtocol": "HttpsOnly"})
        )
        assert await site.serving() == served
    unchecked = edge_site.region("west", enforceCertificateNameCheck=False)
    site.edge.configure(edge_site.configured(unchecked, route={"forwardingProtocol": "HttpsOnly"}))
    assert await site.serving() == "west"


async def test_a_client_that_leaves_takes_its_request_along(make_origin, make_site):
    """The origin's handler ends when the client hangs up: nothing is left waiting."""
    ended = asyncio.Event()

    async def wait(_request):
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    origin = await make_origin("east", wait)
    site = await make_site(origin)
    site.edge.configure(edge_site.configured(edge_site.region("east")))
    asking = asyncio.create_task(site.serving())
    await edge_site.wait_until(lambda: origin.seen)
    asking.cancel()
    await asyncio.wait_for(ended.wait(), 5)
