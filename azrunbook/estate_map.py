"""An estate as a picture: its regions side by side, their layers from users down, what needs what.

Pure: drawn from the desired resources, so nothing can be in the picture that is not declared, and
a test holds that nothing is left out. SVG as text, because a report has to stand alone.
"""

import collections
import html
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from azrunbook import plots, resources
from azrunbook.resources import model

# From what users meet to what everything stands in; the first whose types include one takes it.
LAYERS: Mapping[str, tuple[str, ...]] = {
    "front door": ("Microsoft.Cdn/", model.FIREWALL_POLICY),
    "clusters": (model.CLUSTER,),
    "data": ("Microsoft.DBforPostgreSQL/", "Microsoft.Cache/", model.STORAGE),
    "registry, logs": (model.REGISTRY, model.WORKSPACE),
    "identities": ("Microsoft.ManagedIdentity/", model.ROLE_ASSIGNMENT),
    "private links": (model.PRIVATE_ENDPOINT, model.LINK_SERVICE, model.ZONE),
    "network": ("Microsoft.Network/",),
    "groups": (model.GROUP,),
}
Place = tuple[str, str]  # a layer and a region
_BOX_WIDTH, _GAP_ACROSS, _GAP_DOWN, _MARGIN = 250, 70, 34, 110
_LINE, _TITLE = 15, 22
_FONT = "font-family='sans-serif' font-size='11'"
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999", "#000000")


@dataclass(frozen=True)
class _Box:
    """Where one place of the map is drawn, in pixels; ``lines`` are what it holds."""

    left: float
    top: float
    height: float
    lines: tuple[str, ...]

    @property
    def centre(self) -> float:
        return self.left + _BOX_WIDTH / 2


def find_layer(type_: str) -> str:
    """Find the layer of a resource type.

    Raises:
        KeyError: none has it. This is a bug.
    """
    for layer, starts in LAYERS.items():
        if type_.startswith(starts):
            return layer
    raise KeyError(type_)


def group(
    desired: Iterable[resources.DesiredResource],
) -> dict[Place, list[resources.DesiredResource]]:
    """The resources of each layer and region."""
    found: dict[Place, list[resources.DesiredResource]] = collections.defaultdict(list)
    for one in desired:
        found[find_layer(one.type), one.region].append(one)
    return dict(found)


def list_needs(desired: Iterable[resources.DesiredResource]) -> set[tuple[Place, Place]]:
    """Which place needs which other one: something in it has to come after something there."""
    known = {one.id: (find_layer(one.type), one.region) for one in desired}
    return {
        (known[one.id], known[needed])
        for one in desired
        for needed in one.depends_on
        if known[one.id] != known[needed] and known[needed][0] != "groups"
    }


def draw(desired: tuple[resources.DesiredResource, ...], *, title: str) -> plots.Svg:
    """Draw the map; what is shared stands between the regions."""
    places = group(desired)
    regions = sorted({region for _, region in places} - {model.GLOBAL})
    half = (len(regions) + 1) // 2
    columns = [*regions[:half], model.GLOBAL, *regions[half:]]
    boxes, height = _lay_out(places, columns)
    width = _MARGIN + len(columns) * (_BOX_WIDTH + _GAP_ACROSS)
    head = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' role='img' "
        f"style='max-width:{width}px;width:100%' {_FONT}><title>{html.escape(title)}</title>"
    )
    parts = [
        head,
        f"<rect width='{width}' height='{height}' fill='white'/>",
        *(_write(_left(place) + _BOX_WIDTH / 2, 20, column, "font-weight='bold' font-size='14'")
          for place, column in enumerate(columns)),
        *(_draw_need(boxes, *need) for need in sorted(list_needs(desired))),
        *(part for place, box in boxes.items() for part in _draw_box(place, box)),
        "</svg>",
    ]  # fmt: skip
    return plots.Svg("\n".join(parts))


def _left(column: int) -> float:
    return _MARGIN + column * (_BOX_WIDTH + _GAP_ACROSS)


def _lay_out(
    places: Mapping[Place, list[resources.DesiredResource]], columns: list[str]
) -> tuple[dict[Place, _Box], float]:
    """One row a layer, as high as its highest box; returns the height of all, too."""
    boxes, top = {}, 40.0
    for layer in LAYERS:
        row = {
            (layer, column): (_left(number), tuple(_list_lines(places[layer, column])))
            for number, column in enumerate(columns)
            if (layer, column) in places
        }
        if row:
            height = _TITLE + _LINE * max(len(lines) for _, lines in row.values())
            for place, (left, lines) in row.items():
                boxes[place] = _Box(left, top, _TITLE + _LINE * len(lines), lines)
            top += height + _GAP_DOWN
    return boxes, top


def _list_lines(held: list[resources.DesiredResource]) -> Iterator[str]:
    """How many of each kind, and the pools of a cluster, which are no resources of their own."""
    for type_, count in collections.Counter(one.type for one in held).items():
        yield f"{count} {type_.rpartition('/')[2]}"
    for one in held:
        for pool in one.body.get("properties", {}).get("agentPoolProfiles", ()):
            yield f"{pool['name']}: {pool['count']} nodes of {pool['vmSize']}"


def _draw_box(place: Place, box: _Box) -> Iterator[str]:
    colour = _COLOURS[list(LAYERS).index(place[0])]
    yield (
        f"<rect x='{box.left}' y='{box.top}' width='{_BOX_WIDTH}' height='{box.height}' rx='4' "
        f"fill='white' stroke='{colour}' stroke-width='1.5'/>"
    )
    yield _write(box.centre, box.top + 14, place[0], f"font-weight='bold' fill='{colour}'")
    for number, line in enumerate(box.lines):
        yield _write(box.centre, box.top + _TITLE + 8 + number * _LINE, line)


def _draw_need(boxes: Mapping[Place, _Box], place: Place, needed: Place) -> str:
    """A line from what needs to what it needs; said in words where a pointer rests on it."""
    start, end = boxes[place], boxes[needed]
    colour = _COLOURS[list(LAYERS).index(place[0])]
    down = start.top + start.height if start.top < end.top else start.top + start.height / 2
    up = end.top if start.top < end.top else end.top + end.height / 2
    middle = (down + up) / 2
    # Within a column past the boxes in between, on the column's own side of them.
    bend = -_BOX_WIDTH / 2 - 30 if start.centre == end.centre and up - down > 2 * _GAP_DOWN else 0
    said = f"{place[0]} in {place[1]} needs {needed[0]} in {needed[1]}"
    return (
        f"<path d='M{start.centre},{down} C{start.centre + bend * 1.3},{middle} "
        f"{end.centre + bend * 1.3},{middle} {end.centre},{up}' fill='none' stroke='{colour}' "
        f"stroke-width='1.2' opacity='0.45'><title>{html.escape(said)}</title></path>"
    )


def _write(x: float, y: float, text: str, style: str = "") -> str:
    return f"<text x='{x}' y='{y}' text-anchor='middle' {style}>{html.escape(text)}</text>"
