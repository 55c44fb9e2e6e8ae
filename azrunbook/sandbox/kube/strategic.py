"""Strategic merge patch: lists merge by key, with the directives of kubectl and controllers.

Law: pure; what is given is never changed. Which lists merge, and by what key, comes from the
shapes. Directives: `$patch` (replace, delete, merge), `$retainKeys`, `$setElementOrder/<list>`,
`$deleteFromPrimitiveList/<list>`.
"""

from typing import Any

from azrunbook.sandbox.kube import errors, shapes
from azrunbook.sandbox.kube.shapes import Form, Shape

Object = dict[str, Any]
DIRECTIVE = "$patch"
RETAIN_KEYS = "$retainKeys"
ORDER = "$setElementOrder/"
DELETE = "$deleteFromPrimitiveList/"


def merge(original: Object, patch: Any, shape: Shape) -> Object:
    """Apply the patch; raises StatusError 400, 422 or 500 for one that makes no sense."""
    if not isinstance(patch, dict):
        raise errors.bad_request(
            "json: cannot unmarshal array into Go value of type map[string]interface {}"
        )
    return _merge_map(original, patch, shape)


def _merge_map(original: Object, patch: Object, shape: Shape) -> Object:
    directive = patch.get(DIRECTIVE)
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != DIRECTIVE}
    if directive == "delete":
        return {}
    if directive is not None and directive != "merge":
        raise _senseless(f"unknown patch type: {directive} in map: {go_map(patch)}")
    found = dict(original)
    if RETAIN_KEYS in patch:
        found = _retain(found, patch)
    rest = {key: value for key, value in patch.items() if key not in (DIRECTIVE, RETAIN_KEYS)}
    for key in [name for name in rest if name.startswith(ORDER)]:
        _merge_ordered(found, rest, key, shape)
    for key, value in rest.items():
        if key.startswith(DELETE):
            name = key.removeprefix(DELETE)
            found[name] = [part for part in found.get(name) or [] if part not in value]
        else:
            _merge_field(found, key, value, _field(shape, key))
    return found


def _retain(original: Object, patch: Object) -> Object:
    kept = patch[RETAIN_KEYS]
    if not isinstance(kept, list):
        raise errors.bad_request("invalid patch format of retainKeys")
    plain = (key for key in patch if not key.startswith("$"))
    if any(patch[key] is not None and key not in kept for key in plain):
        raise errors.rejected()
    return {key: value for key, value in original.items() if key in kept}


def _field(shape: Shape, key: str) -> Shape:
    if shape.form is Form.STRUCT:
        return shape.fields.get(key, shapes.ANY)
    return shape.element or shapes.ANY


def _merge_field(found: Object, key: str, value: Any, shape: Shape) -> None:
    if value is None:
        found.pop(key, None)
        return
    before = found.get(key)
    if isinstance(before, dict) and isinstance(value, dict):
        if "replace" in shape.strategies and DIRECTIVE not in value:
            found[key] = _plain(value)
        else:
            found[key] = _merge_map(before, value, shape)
    elif isinstance(before, list) and isinstance(value, list) and "merge" in shape.strategies:
        found[key] = _merge_list(before, value, shape)
    else:
        found[key] = _plain(value)


def _plain(value: Any) -> Any:
    """A patch's value where there was nothing: without directives and without nulls."""
    if isinstance(value, dict):
        if value.get(DIRECTIVE) == "delete":
            return {}
        return {
            key: _plain(part)
            for key, part in value.items()
            if part is not None and not key.startswith("$")
        }
    if isinstance(value, list):
        return [
            _plain(part)
            for part in value
            if not (isinstance(part, dict) and part.get(DIRECTIVE) in ("delete", "replace"))
        ]
    return value


def _merge_list(original: list[Any], patch: list[Any], shape: Shape) -> list[Any]:
    kinds = {isinstance(part, dict) for part in [*original, *patch]}
    if len(kinds) > 1 or any(isinstance(part, list) for part in patch):
        raise errors.bad_request("list element types are not identical")
    if kinds != {True}:
        merged = list(original)
        merged += [part for part in patch if part not in original]
        merged = list(dict.fromkeys(merged))
        return _in_order(merged, patch, original, "")
    key = shape.merge_key
    _require_directives(patch)
    if any(part.get(DIRECTIVE) == "replace" for part in patch):
        return [_plain(part) for part in patch if part.get(DIRECTIVE) != "replace"]
    element = shape.element or shapes.ANY
    merged = list(original)
    for part in patch:
        if key not in part:
            raise _senseless(f"map: {go_map(part)} does not contain declared merge key: {key}")
        at = _position(merged, part[key], key)
        if part.get(DIRECTIVE) == "delete":
            merged = [old for old in merged if old.get(key) != part[key]]
        elif at is None:
            merged.append(_plain(part))
        else:
            merged[at] = _merge_map(merged[at], part, element)
    wanted = [part for part in patch if part.get(DIRECTIVE) != "delete"]
    return _in_order(merged, wanted, original, key)


def _require_directives(patch: list[Any]) -> None:
    for part in patch:
        directive = part.get(DIRECTIVE)
        if directive == "merge":
            raise _senseless("merging lists cannot yet be specified in the patch")
        if directive not in (None, "replace", "delete"):
            raise _senseless(f"unknown patch type: {directive} in map: {go_map(part)}")


def _senseless(why: str) -> errors.StatusError:
    """The server has no status of its own for these: it says that it failed."""
    return errors.StatusError(500, "", why)


def go_map(value: Any) -> str:
    """A value as Go prints it: maps by their keys, lists without commas."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{go_map(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(go_map, value)) + "]"
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _position(items: list[Any], wanted: Any, key: str) -> int | None:
    for index, item in enumerate(items):
        if (item.get(key) if key else item) == wanted:
            return index
    return None


def _merge_ordered(found: Object, patch: Object, directive: str, shape: Shape) -> None:
    name = directive.removeprefix(ORDER)
    order = patch.pop(directive)
    field = _field(shape, name)
    original = found.get(name) or []
    if not isinstance(order, list):
        raise errors.bad_request("invalid patch format of setElementOrder list")
    delete = patch.pop(DELETE + name, None)
    if delete is not None:
        found[name] = [part for part in original if part not in delete]
    if name in patch:
        _merge_field(found, name, patch.pop(name), field)
    merged = found.get(name)
    if merged:
        found[name] = _in_order(merged, order, original, field.merge_key)


def _in_order(merged: list[Any], wanted: list[Any], original: list[Any], key: str) -> list[Any]:
    """The wanted items in the wanted order, the others where the original had them."""

    def identity(item: Any) -> Any:
        return item.get(key) if isinstance(item, dict) else item

    order = [identity(item) for item in wanted]
    before = [identity(item) for item in original]
    chosen = [item for item in merged if identity(item) in order]
    others = [item for item in merged if identity(item) not in order]
    chosen.sort(key=lambda item: order.index(identity(item)))
    others.sort(
        key=lambda item: before.index(identity(item)) if identity(item) in before else len(before)
    )
    result: list[Any] = []
    while chosen and others:
        left, right = identity(others[0]), identity(chosen[0])
        comes_first = (
            left in before and right in before and before.index(left) < before.index(right)
        )
        result.append(others.pop(0) if comes_first else chosen.pop(0))
    return result + others + chosen
