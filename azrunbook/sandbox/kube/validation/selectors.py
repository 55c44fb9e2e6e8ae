"""Validation of label selectors inside objects."""

from typing import Any

from azrunbook.sandbox.kube import selectors
from azrunbook.sandbox.kube.errors import Cause
from azrunbook.sandbox.kube.validation import causes, metadata, names

Object = dict[str, Any]
OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


def label_selector(selector: Object | None, where: str) -> list[Cause]:
    """Why a LabelSelector is refused."""
    if selector is None:
        return []
    found = metadata.labels(selector.get("matchLabels"), f"{where}.matchLabels")
    for index, part in enumerate(selector.get("matchExpressions") or []):
        place = f"{where}.matchExpressions[{index}]"
        operator, values = part.get("operator"), part.get("values")
        if operator in ("In", "NotIn"):
            if not values:
                why = "must be specified when `operator` is 'In' or 'NotIn'"
                found.append(causes.required(f"{place}.values", why))
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                found.append(causes.forbidden(f"{place}.values", why))
        else:
            why = "not a valid selector operator"
            found.append(causes.invalid(f"{place}.operator", operator or "", why))
        key = part.get("key", "")
        found += [causes.invalid(f"{place}.key", key, why) for why in names.qualified(key)]
    return found


def is_empty(selector: Object | None) -> bool:
    """Whether a selector is there and selects everything."""
    return selector is not None and not any(selector.values())


def matches(selector: Object | None, labels: Object | None) -> bool:
    """Whether labels are selected; nothing is by a selector that is absent or wrong."""
    try:
        requirements = selectors.from_label_selector(selector)
    except KeyError:
        return False
    return requirements is not None and selectors.match_labels(requirements, labels or {})


def is_understood(selector: Object) -> bool:
    """Whether a selector can be turned into requirements at all."""
    return not label_selector({**selector, "matchLabels": None}, "")
