"""Resource ids as truth tables."""

import pytest

from azrunbook.sandbox.arm import paths

S = "/subscriptions/s"
G = f"{S}/resourceGroups/g"
VNET = f"{G}/providers/Microsoft.Network/virtualNetworks/v"


@pytest.mark.parametrize(
    ("path", "type_", "name", "tail"),
    [
        (S, "Microsoft.Resources/subscriptions", "s", None),
        (f"{S}/resourceGroups", "Microsoft.Resources/subscriptions", "s", "resourceGroups"),
        (G, "Microsoft.Resources/resourceGroups", "g", None),
        (f"{S}/resourcegroups/g/resources", "Microsoft.Resources/resourceGroups", "g", "resources"),
        (VNET, "Microsoft.Network/virtualNetworks", "v", None),
        (f"{VNET}/", "Microsoft.Network/virtualNetworks", "v", None),
        (f"{VNET}/subnets", "Microsoft.Network/virtualNetworks", "v", "subnets"),
        (f"{VNET}/subnets/a", "Microsoft.Network/virtualNetworks/subnets", "a", None),
        (f"{G}/providers/Microsoft.Cdn/profiles", "Microsoft.Cdn", "g", "profiles"),
    ],
)
def test_a_path_is_a_resource_and_what_is_left(path, type_, name, tail):
    """Type, name and tail for every form of path."""
    resource, left = paths.split(path)
    assert (resource.type, resource.name, left) == (type_, name, tail)


@pytest.mark.parametrize("text", ["", "/", "subscriptions/s", "/providers/x", f"{VNET}/subnets"])
def test_what_is_no_id_is_refused(text):
    """An id starts at a subscription and ends in a name."""
    with pytest.raises(paths.InvalidIdError):
        paths.parse(text)


def test_an_id_keeps_its_case_and_compares_without():
    """The text is as written, the key is lower case."""
    one, other = paths.parse(VNET), paths.parse(VNET.upper().replace("/SUB", "/sub"))
    assert str(one) == VNET
    assert one.key == other.key
    assert one != other


def test_parent_and_containment_follow_the_path():
    """A subnet lies in its network, in its group and in its subscription, not beside it."""
    subnet = paths.parse(f"{VNET}/subnets/a")
    assert subnet.parent == paths.parse(VNET)
    assert subnet.parent.parent == paths.parse(G)
    assert paths.parse(G.upper().replace("/SUB", "/sub")).contains(subnet)
    assert not paths.parse(f"{G}x").contains(subnet)
    assert not subnet.contains(subnet)
