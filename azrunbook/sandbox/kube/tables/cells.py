"""Cells that several printers show: ages, labels, selectors, containers."""

from collections.abc import Mapping, Sequence
from typing import Any

from azrunbook.sandbox.kube import selectors, times

Object = dict[str, Any]
NONE = "<none>"
UNKNOWN = "<unknown>"
MINUTE, HOUR, DAY = 60, 3600, 86400
YEAR = DAY * 365


def human(seconds: float) -> str:  # noqa: PLR0911 - one line per range
    """A duration as kubectl shows ages: two units when small, one when large."""
    total = int(seconds)
    if total < -1:
        return "<invalid>"
    total = max(total, 0)
    if total < 2 * MINUTE:
        return f"{total}s"
    if total < 10 * MINUTE:
        return _two(total, MINUTE, "m", 1, "s")
    if total < 3 * HOUR:
        return f"{total // MINUTE}m"
    if total < 8 * HOUR:
        return _two(total, HOUR, "h", MINUTE, "m")
    if total < 2 * DAY:
        return f"{total // HOUR}h"
    if total < 8 * DAY:
        return _two(total, DAY, "d", HOUR, "h")
    if total < 2 * YEAR:
        return f"{total // DAY}d"
    if total < 8 * YEAR:
        return _two(total, YEAR, "y", DAY, "d")
    return f"{total // YEAR}y"


def _two(total: int, large: int, large_unit: str, small: int, small_unit: str) -> str:
    rest = total % large // small
    text = f"{total // large}{large_unit}"
    return f"{text}{rest}{small_unit}" if rest else text


def since(text: str | None, missing: str = UNKNOWN) -> str:
    """How long ago an instant was."""
    if not text:
        return missing
    return human((times.now() - times.parse(text)).total_seconds())


def age(obj: Object) -> str:
    return since(obj["metadata"].get("creationTimestamp"))


def created(obj: Object) -> str:
    return str(obj["metadata"].get("creationTimestamp", ""))


def between(start: str, end: str | None) -> str:
    """The time from one instant to another, or to now."""
    stop = times.parse(end) if end else times.now()
    return human((stop - times.parse(start)).total_seconds())


def labels(found: Mapping[str, str] | None) -> str:
    """`a=b,c=d`, sorted."""
    if not found:
        return NONE
    return ",".join(f"{key}={value}" for key, value in sorted(found.items()))


def selector(found: Mapping[str, Any] | None) -> str:
    """A LabelSelector as text."""
    requirements = selectors.from_label_selector(found)
    if not requirements:
        return NONE
    return selectors.format_requirements(requirements)


def containers(template: Mapping[str, Any]) -> tuple[str, str]:
    """The names and the images of a pod template's containers."""
    found = (template.get("spec") or {}).get("containers") or []
    names = ",".join(part.get("name", "") for part in found)
    return names, ",".join(part.get("image", "") for part in found)


def some(items: Sequence[str], limit: int, empty: str = NONE) -> str:
    """The first few, and how many more there are."""
    if not items:
        return empty
    text = ",".join(items[:limit])
    return f"{text} + {len(items) - limit} more..." if len(items) > limit else text


def path(obj: Any, dotted: str, default: Any = None) -> Any:
    """The value at a dotted path, or the default."""
    for part in dotted.split("."):
        obj = obj.get(part) if isinstance(obj, dict) else None
        if obj is None:
            return default
    return obj
