"""JSON patch (RFC 6902) and JSON merge patch (RFC 7386).

Law: pure. What is given is never changed; the answer shares what did not change with it.
"""

from typing import Any

from azrunbook.sandbox.kube import errors

MAXIMUM_OPERATIONS = 10_000


def merge(target: Any, patch: Any) -> Any:
    """JSON merge patch: null removes, objects merge, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    found = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merge(found.get(key), value)
    return found


GO_KINDS = {str: "string", bool: "bool", int: "number", float: "number", list: "array"}


def merge_patch(target: Any, patch: Any) -> Any:
    """A merge patch as the server takes it: an object; raises StatusError 400."""
    if isinstance(patch, dict):
        return merge(target, patch)
    kind = GO_KINDS.get(type(patch), "object")
    raise errors.bad_request(
        f"error decoding patch: json: cannot unmarshal {kind} into Go value of type "
        "map[string]interface {}"
    )


class _FailedError(Exception):
    """An operation that cannot be done."""


def _pointer(path: Any) -> list[str]:
    if not isinstance(path, str) or (path and not path.startswith("/")):
        raise _FailedError
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]


def _index(container: list[Any], part: str, *, may_append: bool) -> int:
    if part == "-" and may_append:
        return len(container)
    if not part.lstrip("-").isdigit():
        raise _FailedError
    position = int(part)
    if position < 0:
        position += len(container) + may_append
    if not 0 <= position < len(container) + may_append:
        raise _FailedError
    return position


def _read(value: Any, parts: list[str]) -> Any:
    for part in parts:
        if isinstance(value, dict):
            if part not in value:
                raise _FailedError
            value = value[part]
        elif isinstance(value, list):
            value = value[_index(value, part, may_append=False)]
        else:
            raise _FailedError
    return value


def _write(value: Any, parts: list[str], new: Any, *, replace: bool) -> Any:
    if not parts:
        return new
    head, rest = parts[0], parts[1:]
    if isinstance(value, dict):
        if head not in value and (rest or replace):
            raise _FailedError
        return {**value, head: _write(value.get(head), rest, new, replace=replace)}
    if not isinstance(value, list):
        raise _FailedError
    position = _index(value, head, may_append=not rest and not replace)
    if rest or replace:
        inner = _write(value[position], rest, new, replace=replace)
        return [*value[:position], inner, *value[position + 1 :]]
    return [*value[:position], new, *value[position:]]


def _remove(value: Any, parts: list[str]) -> Any:
    if not parts:
        raise _FailedError
    head, rest = parts[0], parts[1:]
    if isinstance(value, dict):
        if head not in value:
            raise _FailedError
        if rest:
            return {**value, head: _remove(value[head], rest)}
        return {key: part for key, part in value.items() if key != head}
    if not isinstance(value, list):
        raise _FailedError
    position = _index(value, head, may_append=False)
    if rest:
        return [*value[:position], _remove(value[position], rest), *value[position + 1 :]]
    return value[:position] + value[position + 1 :]


def _operate(target: Any, operation: dict[str, Any]) -> Any:
    verb, parts = operation.get("op"), _pointer(operation.get("path"))
    if verb == "add":
        return _write(target, parts, operation.get("value"), replace=False)
    if verb == "replace":
        return _write(target, parts, operation.get("value"), replace=True)
    if verb == "remove":
        return _remove(target, parts)
    if verb == "test":
        if not _same(_read_or_none(target, parts), operation.get("value")):
            raise _FailedError
        return target
    if verb not in ("copy", "move"):
        raise _FailedError
    source = _pointer(operation.get("from"))
    value = _read(target, source)
    if verb == "move":
        target = _remove(target, source)
    return _write(target, parts, value, replace=False)


def _read_or_none(target: Any, parts: list[str]) -> Any:
    """A test against null holds for an absent key of a present object."""
    if not parts:
        return target
    container = _read(target, parts[:-1])
    if isinstance(container, dict):
        return container.get(parts[-1])
    return _read(container, parts[-1:])


def _same(left: Any, right: Any) -> bool:
    """Equality of JSON values: true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[k], right[k]) for k in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return bool(left == right)


def json_patch(target: Any, operations: Any) -> Any:
    """Apply the operations in order; raises StatusError 400, 413 or 422."""
    if not isinstance(operations, list):
        kind = GO_KINDS.get(type(operations), "object")
        raise errors.bad_request(
            f"error decoding patch: json: cannot unmarshal {kind} into Go value of type "
            "[]interface {}"
        )
    if not all(isinstance(part, dict) for part in operations):
        raise errors.bad_request(
            "json: cannot unmarshal array into Go value of type jsonpatch.Operation"
        )
    if len(operations) > MAXIMUM_OPERATIONS:
        raise errors.too_large(MAXIMUM_OPERATIONS)
    try:
        for operation in operations:
            target = _operate(target, operation)
    except _FailedError:
        raise errors.rejected() from None
    return target
