"""The picture of an estate: nothing is left out, nothing is made up."""

import xml.etree.ElementTree as ET

import pytest

from azrunbook import estate, estate_map, resources

SVG = "{http://www.w3.org/2000/svg}"


def draw(declared):
    text = estate_map.draw(declared, title="it").text
    return ET.fromstring(text)  # noqa: S314 - our own


@pytest.fixture(params=estate.ENVIRONMENTS)
def declared(request):
    return resources.desired_resources(estate.load(request.param), "subscription")


def test_every_resource_is_in_one_box(declared):
    """Whatever an environment declares has a layer; the boxes hold as many as there are."""
    drawn = draw(declared)
    places = estate_map.group(declared)
    boxes = [one for one in drawn.iter(f"{SVG}rect") if one.get("rx")]
    assert len(boxes) == len(places)
    counts = [
        int(word)
        for one in drawn.iter(f"{SVG}text")
        if (word := (one.text or "").partition(" ")[0]).isdecimal()
    ]
    assert sum(counts) == len(declared)


def test_every_line_is_a_dependency_and_leads_down_or_across(declared):
    """A line says who needs whom, as ``depends_on`` does; none to the groups, which hold all."""
    needs = estate_map.list_needs(declared)
    drawn = draw(declared)
    said = {one[0].text for one in drawn.iter(f"{SVG}path")}
    assert said == {f"{a[0]} in {a[1]} needs {b[0]} in {b[1]}" for a, b in needs}
    assert (("clusters", "eastus"), ("network", "eastus")) in needs
    assert not [one for one in needs if one[1][0] == "groups"]


def test_an_unknown_type_has_no_layer():
    """Somebody who adds a type is told to draw it."""
    with pytest.raises(KeyError):
        estate_map.find_layer("Microsoft.Unknown/things")
