"""What the edge adds to headers and takes away."""

import re

import pytest

from azrunbook.sandbox.edge import headers


def sent_on(*pairs):
    """The headers an origin gets, by lower-case name."""
    return {
        name.lower(): value
        for name, value in headers.to_origin(
            pairs,
            host="shop.example:8443",
            origin_host="east.example",
            socket_address="192.0.2.7",
            scheme="https",
            http_version="1.0",
            reference="ref",
            front_door_id="fdid",
        )
    }


@pytest.mark.parametrize(
    "name",
    [
        *("Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding"),
        *("Upgrade", "Proxy-Authorization", "X-Named", "X-FD-HealthProbe", "Expect"),
    ],
)
def test_these_never_travel_on(name):
    """Hop-by-hop headers, what Connection names, and what is reserved to Front Door."""
    assert name.lower() not in sent_on(("Connection", "close, X-Named"), (name, "x"))


def test_hop_by_hop_headers_of_an_answer_stay_behind():
    """Repeated headers keep their order; the origin's reference and cache word are replaced."""
    passed = headers.to_client(
        [
            ("Set-Cookie", "a"),
            ("Keep-Alive", "1"),
            ("Set-Cookie", "b"),
            ("X-Azure-Ref", "forged"),
        ],
        reference="ref",
        cache_status="CONFIG_NOCACHE",
    )
    assert passed == [
        ("Set-Cookie", "a"),
        ("Set-Cookie", "b"),
        ("X-Azure-Ref", "ref"),
        ("X-Cache", "CONFIG_NOCACHE"),
    ]


def test_the_origin_is_told_of_the_client():
    """Without proxies before the edge."""
    got = sent_on(("Host", "ignored"), ("Accept", "text/html"))
    assert got["host"] == "east.example"
    assert got["accept"] == "text/html"
    assert got["x-forwarded-for"] == got["x-azure-clientip"] == "192.0.2.7"
    assert (got["x-forwarded-host"], got["x-forwarded-proto"]) == ("shop.example:8443", "https")
    assert (got["via"], got["x-azure-fdid"], got["x-azure-ref"]) == ("1.0 Azure", "fdid", "ref")


def test_proxies_before_the_edge_are_kept():
    """X-Forwarded-For and Via grow; the first address is taken for the client's."""
    got = sent_on(("X-Forwarded-For", "203.0.113.9, 10.0.0.1"), ("Via", "1.1 corp"))
    assert got["x-forwarded-for"] == "203.0.113.9, 10.0.0.1, 192.0.2.7"
    assert (got["x-azure-clientip"], got["x-azure-socketip"]) == ("203.0.113.9", "192.0.2.7")
    assert got["via"] == "1.1 corp, 1.0 Azure"


def test_references_name_one_request():
    """A time and chance."""
    one, other = headers.new_reference(), headers.new_reference()
    assert one != other
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{20}", one)
