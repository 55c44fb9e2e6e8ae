"""The parameters of a master notebook, read from its cell and checked before anything starts.

One line of the cell tagged ``parameters`` is one parameter::

    rate_per_second: int = 20  # requests a second against the public endpoint [1..200]
    region: str = "primary"  # region to take away {primary, secondary}

The comment says what it means; ``[least..most]`` at its end is a range (either side may be left
out), ``{one, other}`` the only values there are. Types are str, int, float and bool. Reads the
notebook file as JSON and imports nothing of Jupyter, so that a mistake is told at once.
"""

import ast
import io
import json
import math
import re
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azrunbook import errors, secrets

_TYPES: Mapping[str, type] = {"str": str, "int": int, "float": float, "bool": bool}
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_RANGE = re.compile(r"\[(?P<least>-?[\d.]*?)\.\.(?P<most>-?[\d.]*)\]\s*$")
_CHOICES = re.compile(r"\{(?P<choices>[^{}]+)\}\s*$")


@dataclass(frozen=True)
class Parameter:
    """One parameter: what it is called, its type's name, default, meaning and limits."""

    name: str
    type: str
    default: Any
    help: str
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()

    def parse(self, given: Any) -> Any:
        """Turn what was given (text, or a value of the right type) into a checked value.

        Raises:
            ParameterError: not of the type, out of range, or not one of the choices.
        """
        value = self._convert(given)
        if self.choices and str(value) not in self.choices:
            raise self._refuse(given, f"one of {', '.join(self.choices)}")
        if self.least is not None and value < self.least:
            raise self._refuse(given, f"at least {self.least:g}")
        if self.most is not None and value > self.most:
            raise self._refuse(given, f"at most {self.most:g}")
        return value

    def _convert(self, given: Any) -> Any:
        wanted = _TYPES[self.type]
        if isinstance(given, wanted) and not (wanted is not bool and isinstance(given, bool)):
            return given
        try:
            if wanted is bool and isinstance(given, str):
                return _WORDS[given.lower()]
            if wanted is float and isinstance(given, int) and not isinstance(given, bool):
                return float(given)
            if wanted in {int, float} and isinstance(given, str):
                return _require_finite(wanted(given))
        except (KeyError, ValueError) as error:
            raise self._refuse(given, self._say_type()) from error
        raise self._refuse(given, self._say_type())

    def _say_type(self) -> str:
        return {"bool": "true or false", "int": "a whole number", "float": "a number"}.get(
            self.type, "text"
        )

    def _refuse(self, given: Any, expected: str) -> errors.ParameterError:
        return errors.ParameterError(
            f"parameter {self.name} = {given!r} is not possible: expected {expected} "
            f"({self.help or self.type}). Nothing was started. "
            f"Example: -p {self.name}={_say_value(self.default) or '...'}"
        )


def read(notebook: Path) -> dict[str, Parameter]:
    """Read the parameters a notebook takes, by name, in their order.

    Raises:
        ParameterError: there is no such notebook, or its parameters cell is not of the form above.
    """
    source = _read_cell(notebook)
    comments = _read_comments(source)
    found = {}
    for node in ast.parse(source).body:
        if not (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and isinstance(node.annotation, ast.Name)
            and node.annotation.id in _TYPES
            and node.value is not None
        ):
            raise errors.ParameterError(
                f"{notebook.name}, cell tagged parameters, line {node.lineno}: found "
                f"'{ast.unparse(node)}'; expected name: type = literal, with a type of "
                f"{', '.join(_TYPES)}. Example: apply: bool = False  # False: change nothing"
            )
        name, type_name = node.target.id, node.annotation.id
        default = ast.literal_eval(node.value)
        found[name] = _build(name, type_name, default, comments.get(node.lineno, ""))
    return found


def check(
    notebook: Path, given: Mapping[str, Any], *, defaults: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Check given parameters against a notebook; returns the value of every parameter it takes.

    Args:
        notebook: the master.
        given: what a person passed; each name must exist.
        defaults: values for parameters that the notebook may or may not have (env, target).

    Raises:
        ParameterError: an unknown name, a wrong type, a value out of range, or a secret.
    """
    known = read(notebook)
    for name in given:
        if secrets.names_secret(name):
            raise errors.ParameterError(
                f"parameter {name} names a secret: parameters are recorded, secrets are not. "
                "Put it into the connection file's client_secret_file instead."
            )
        if name not in known:
            raise errors.ParameterError(
                f"{notebook.stem} has no parameter {name}: expected one of {', '.join(known)}. "
                f"Nothing was started. Example: -p {next(iter(known), 'apply')}=..."
            )
    wanted = {name: value for name, value in (defaults or {}).items() if name in known}
    wanted.update(given)
    return {name: one.parse(wanted.get(name, one.default)) for name, one in known.items()}


def _require_finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError(number)
    return number


def _build(name: str, type_name: str, default: Any, comment: str) -> Parameter:
    limits, choices = _RANGE.search(comment), _CHOICES.search(comment)
    return Parameter(
        name=name,
        type=type_name,
        default=default,
        help=comment,
        least=float(limits["least"]) if limits and limits["least"] else None,
        most=float(limits["most"]) if limits and limits["most"] else None,
        choices=tuple(one.strip() for one in choices["choices"].split(",")) if choices else (),
    )


def _read_cell(notebook: Path) -> str:
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise errors.ParameterError(
            f"{notebook} cannot be read as a notebook ({error}): expected the stem of a notebook "
            "in notebooks/, or a path. Example: azrunbook run 01_provision_estate"
        ) from error
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", ())]
    if len(tagged) != 1:
        raise errors.ParameterError(
            f"{notebook.name} has {len(tagged)} cells tagged parameters: expected exactly one."
        )
    source = tagged[0]["source"]
    return source if isinstance(source, str) else "".join(source)


def _read_comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {
        token.start[0]: token.string.lstrip("# ").rstrip()
        for token in tokens
        if token.type == tokenize.COMMENT
    }


def _say_value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
