"""Which route and which origin, as truth tables."""

import collections
import dataclasses

import pytest

from azrunbook.sandbox.edge import config, routing


def route(name, hosts, patterns, **more):
    given = {
        "accepts_http": True,
        "accepts_https": True,
        "redirects_to_https": False,
        "forwarding": "MatchRequest",
        "origin_path": "",
        "group_id": "og",
        "front_door_id": "fdid",
        "response_timeout_seconds": 30.0,
        **more,
    }
    return config.Route(id=name, name=name, hosts=tuple(hosts), patterns=tuple(patterns), **given)


def edge(*routes):
    return config.EdgeConfig(routes=routes)


def chosen(edge_config, url, *, is_https=True):
    host, slash, path = url.partition("/")
    match = routing.find_route(edge_config, host=host, path=slash + path, is_https=is_https)
    return match.route.name if match else None


# The two tables of the "route matching" article.
HOSTS = edge(
    route("A", ["foo.contoso.com"], ["/*"]),
    route("B", ["foo.contoso.com"], ["/users/*"]),
    route("C", ["www.fabrikam.com", "foo.adventure-works.com"], ["/*", "/images/*"]),
)
PATHS = edge(
    *(
        route(name, ["www.contoso.com"], [path])
        for name, path in {
            "A": "/",
            "B": "/*",
            "C": "/ab",
            "D": "/abc",
            "E": "/abc/",
            "F": "/abc/*",
            "G": "/abc/def",
            "H": "/path/",
        }.items()
    )
)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("foo.contoso.com/", "A"),
        ("foo.contoso.com/users/1", "B"),
        ("www.fabrikam.com/images/1", "C"),
        ("foo.adventure-works.com/", "C"),
        ("images.fabrikam.com/", None),
        ("contoso.com/", None),
    ],
)
def test_routes_are_found_by_host(url, name):
    """An exact host, never a parent or a sibling."""
    assert chosen(HOSTS, url) == name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "A"),
        ("/a", "B"),
        ("/ab", "C"),
        ("/abc", "D"),
        ("/abzzz", "B"),
        ("/abc/", "E"),
        ("/abc/d", "F"),
        ("/abc/def", "G"),
        ("/abc/defzzz", "F"),
        ("/abc/def/ghi", "F"),
        ("/path", "B"),
        ("/path/", "H"),
        ("/path/zzz", "B"),
        ("/ABC", "D"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_routes_are_found_by_path(path, name, turned):
    """Exact before wildcard, long before short, in any order of the routes, in any letter case."""
    routes = PATHS.routes[::-1] if turned else PATHS.routes
    assert chosen(edge(*routes), f"www.contoso.com{path}") == name


def test_without_a_catch_all_other_paths_have_no_route():
    """The warning of the article; the host is known all the same."""
    only = edge(route("A", ["profile.contoso.com"], ["/api/*"]))
    assert chosen(only, "profile.contoso.com/other") is None
    assert routing.is_known_host(only, "profile.contoso.com")
    assert not routing.is_known_host(only, "contoso.com")


def test_an_exact_domain_outranks_a_wildcard_domain():
    """Even if the wildcard's path is the longer one; a wildcard spans one label."""
    both = edge(
        route("wild", ["*.contoso.com"], ["/long/path/*"]), route("own", ["a.contoso.com"], ["/*"])
    )
    assert chosen(both, "a.contoso.com/long/path/x") == "own"
    assert chosen(both, "b.contoso.com/long/path/x") == "wild"
    assert chosen(both, "a.b.contoso.com/long/path/x") is None


@pytest.mark.parametrize(("is_https", "name"), [(True, "secure"), (False, "plain")])
def test_the_protocol_decides_first(is_https, name):
    """Each route takes the protocols it supports."""
    both = edge(
        route("secure", ["h"], ["/*"], accepts_http=False),
        route("plain", ["h"], ["/a"], accepts_https=False),
    )
    assert chosen(both, "h/a", is_https=is_https) == name


@pytest.mark.parametrize(
    ("forwarding", "is_https", "expected"),
    [
        ("MatchRequest", True, True),
        ("MatchRequest", False, False),
        ("HttpOnly", True, False),
        ("HttpsOnly", False, True),
    ],
)
def test_the_forwarding_protocol(forwarding, is_https, expected):
    """What the origin is asked over."""
    given = route("r", ["h"], ["/*"], forwarding=forwarding)
    assert routing.uses_https(given, is_https=is_https) is expected


@pytest.mark.parametrize(
    ("pattern", "origin_path", "path", "expected"),
    [
        ("/*", "", "/a/b", "/a/b"),
        ("/foo/*", "/", "/foo/a", "/a"),
        ("/foo/*", "/fwd/", "/foo/a/b", "/fwd/a/b"),
        ("/foo/*", "/fwd", "/foo/", "/fwd/"),
        ("/foo", "/fwd/x", "/foo", "/fwd/x"),
    ],
)
def test_the_origin_path_replaces_what_matched(pattern, origin_path, path, expected):
    """The table of the "URL rewrite" article, in short."""
    given = route("r", ["h"], [pattern], origin_path=origin_path)
    assert routing.forward_path(routing.Match(given, pattern), path) == expected


def origin(name, **more):
    given = {"priority": 1, "weight": 1, "is_enabled": True, **more}
    return config.Origin(
        id=name,
        name=name,
        host=f"{name}.example",
        http_port=80,
        https_port=443,
        host_header=None,
        checks_certificate_name=True,
        **given,
    )


def select(origins, health, *, additional_latency_seconds=0.05):
    """The names of the candidates with their shares."""
    group = config.OriginGroup(
        id="og",
        name="og",
        profile="fd",
        balancing=config.Balancing(4, 3, additional_latency_seconds),
        probe=None,
        origins=tuple(origins),
    )
    found = routing.select_candidates(group, lambda one: routing.Health(*health[one.name]))
    return {candidate.origin.name: candidate.weight for candidate in found}


UP, DOWN = (True, 0.01), (False, None)


@pytest.mark.parametrize(
    ("health", "expected"),
    [
        ({"east": UP, "west": UP, "third": UP}, {"east": 5}),
        ({"east": DOWN, "west": UP, "third": UP}, {"west": 7}),
        ({"east": DOWN, "west": DOWN, "third": UP}, {"third": 9}),
        ({"east": DOWN, "west": DOWN, "third": DOWN}, {"east": 1, "west": 1, "third": 1}),
    ],
)
def test_the_lowest_priority_of_the_healthy_serves(health, expected):
    """And if none is healthy, all do, in equal turns."""
    origins = [
        origin("east", priority=1, weight=5),
        origin("west", priority=2, weight=7),
        origin("third", priority=3, weight=9),
    ]
    assert select(origins, health) == expected


def test_a_disabled_origin_is_never_used():
    """Not even when nothing else is healthy, and not when it is alone."""
    origins = [origin("east", is_enabled=False), origin("west")]
    assert select(origins, {"east": UP, "west": DOWN}) == {"west": 1}
    assert select(origins[:1], {"east": UP}) == {}


@pytest.mark.parametrize(
    ("window_seconds", "expected"),
    [(0, {"a"}), (0.015, {"a", "b"}), (0.03, {"a", "b"}), (0.045, {"a", "b", "d"})],
)
def test_the_latency_window_starts_at_the_fastest(window_seconds, expected):
    """The example of the "routing methods" article: 15, 30 and 60 ms."""
    health = {"a": (True, 0.015), "b": (True, 0.030), "d": (True, 0.060)}
    found = select(map(origin, "abd"), health, additional_latency_seconds=window_seconds)
    assert set(found) == expected


def test_the_window_counts_only_origins_of_the_chosen_priority():
    """A fast standby does not shut a slow primary out."""
    origins = [origin("slow"), origin("fast", priority=2)]
    assert set(select(origins, {"slow": (True, 0.9), "fast": (True, 0.001)})) == {"slow"}


def turns(rotation, weights, count):
    candidates = [routing.Candidate(origin(name), weight) for name, weight in weights.items()]
    return "".join(rotation.pick(candidates).name for _ in range(count))


@pytest.mark.parametrize("weights", [{"a": 5, "b": 8}, {"a": 1, "b": 1}, {"a": 1000, "b": 1}])
def test_turns_are_in_the_ratio_of_the_weights(weights):
    """Exactly so over a whole round."""
    served = collections.Counter(turns(routing.Rotation(), weights, sum(weights.values())))
    assert served == weights


def test_turns_are_spread_evenly():
    """No origin gets its share in one go."""
    assert turns(routing.Rotation(), {"a": 3, "b": 1}, 8) == "aabaaaba"


def test_a_returning_origin_does_not_catch_up():
    """Turns it missed while it was out are not made up in a burst."""
    rotation = routing.Rotation()
    turns(rotation, {"a": 1, "b": 1}, 5)
    turns(rotation, {"a": 1}, 100)
    assert turns(rotation, {"a": 1, "b": 1}, 4).count("b") == 2


def test_no_candidate_is_no_origin():
    """An empty group has nobody to ask."""
    assert routing.Rotation().pick([]) is None


def test_configurations_are_values():
    """Equal content is equal, so that an unchanged store starts no propagation."""
    one = route("A", ["h"], ["/*"])
    assert edge(one) == edge(dataclasses.replace(one))
