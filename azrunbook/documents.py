"""Read a YAML file into a model, and say exactly what is wrong with it when it is wrong.

Used by the estate and by anything else a person writes in YAML. Reads the one file it is given.
An error names the file, the line, the key, what was found, what was expected and an example,
because the person who meets it is looking at the file and not at this code.
"""

import json
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin

import pydantic
import yaml

from azrunbook import errors

_M = TypeVar("_M", bound="Model")
_FOUND_CHARACTERS = 80  # enough to recognise a value, little enough to keep a mistake on one line


class Model(pydantic.BaseModel):
    """Frozen; an unknown key is an error, because a typing mistake must not pass as a default."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


def read(model: type[_M], path: Path) -> _M:
    """Read one YAML file into a model.

    Raises:
        EstateError: the file is missing, is not YAML, or does not fit; every mistake is listed.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except FileNotFoundError as error:
        raise errors.EstateError(
            f"{path} does not exist: expected a YAML file there. "
            "Copy the one of another environment and adapt it."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise errors.EstateError(f"{path} is not YAML: {error}") from error
    try:
        return model.model_validate(data)
    except pydantic.ValidationError as error:
        deepest = _drop_consequences(error.errors())
        mistakes = [_describe(mistake, model, path, document) for mistake in deepest]
        raise errors.EstateError(
            f"{path} is wrong in {len(mistakes)} place(s); nothing was started.\n"
            + "\n".join(mistakes)
        ) from error


def _drop_consequences(mistakes: Sequence[Any]) -> list[Any]:
    """Leave out what is only said because something inside it is wrong."""
    places = [mistake["loc"] for mistake in mistakes]
    return [
        mistake
        for mistake in mistakes
        if not any(
            len(place) > len(mistake["loc"]) and place[: len(mistake["loc"])] == mistake["loc"]
            for place in places
        )
    ]


def _describe(mistake: Any, model: type[Model], path: Path, document: yaml.Node | None) -> str:
    keys: Sequence[str | int] = mistake["loc"]
    where = ".".join(map(str, keys)) or "(the whole file)"
    line = _find_line(document, keys)
    expected = str(mistake["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    if mistake["type"] == "missing":
        found, expected = "nothing", "a value; the key is required"
    elif mistake["type"] == "extra_forbidden":
        found, expected = "an unknown key", f"one of {', '.join(_list_keys(model, keys[:-1]))}"
    else:
        found = _shorten(mistake["input"])
    example = _find_example(model, keys)
    return f"  {path.name}:{line}: {where}: found {found}; expected {expected}" + (
        f"; for example {json.dumps(example)}" if example is not None else ""
    )


def _shorten(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= _FOUND_CHARACTERS else text[:_FOUND_CHARACTERS] + "..."


def _find_line(node: yaml.Node | None, keys: Sequence[str | int]) -> int:
    """Find the line (1-based) of the deepest part of a key path that stands in the document."""
    line = 1
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == str(key)), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            node = node.value[key]
            line = node.start_mark.line + 1
        else:
            break
    return line


def _find_field(model: type[Model], keys: Sequence[str | int]) -> pydantic.fields.FieldInfo | None:
    field: pydantic.fields.FieldInfo | None = None
    current: type[Model] | None = model
    for key in keys:
        if isinstance(key, int):
            continue
        field = current.model_fields.get(key) if current else None
        current = _find_model(field.annotation) if field else None
    return field


def _find_model(annotation: Any) -> type[Model] | None:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return annotation
    if get_origin(annotation) in {tuple, list, dict, Union, types.UnionType}:
        return next((found for part in get_args(annotation) if (found := _find_model(part))), None)
    return None


def _find_example(model: type[Model], keys: Sequence[str | int]) -> Any | None:
    field = _find_field(model, keys)
    return field.examples[0] if field and field.examples else None


def _list_keys(model: type[Model], keys: Sequence[str | int]) -> list[str]:
    names = [key for key in keys if isinstance(key, str)]
    field = _find_field(model, names) if names else None
    inner = _find_model(field.annotation) if field else model
    return sorted(inner.model_fields) if inner else []
