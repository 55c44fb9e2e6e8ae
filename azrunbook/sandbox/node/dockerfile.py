"""Reads a Dockerfile: instructions, stages, variables. Pure, nothing is run.

Covers what a builder reads: continuation lines, comments, parser directives, heredocs, exec and
shell forms, ``ARG`` before ``FROM``, and ``${NAME:-default}`` with its relatives.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_FLAG = re.compile(r"^--([a-z-]+)(?:=(\S*))?\s+")
_HEREDOC = re.compile(r"<<-?[\"']?([A-Za-z_]\w*)[\"']?")
_VARIABLE = re.compile(r"\\(\$)|\$(?:\{(\w+)(?::([-+])([^}]*))?\}|(\w+))")
_DIRECTIVE = re.compile(r"^#\s*(syntax|escape|check)\s*=\s*(\S+)", re.IGNORECASE)


class DockerfileError(Exception):
    """The Dockerfile cannot be read; the message has the line."""


@dataclass(frozen=True)
class Instruction:
    """One instruction: its name in capitals, its flags (``--from=x``), the rest of its line."""

    name: str
    text: str
    flags: Mapping[str, str] = field(default_factory=dict)
    line: int = 0

    def words(self) -> list[str]:
        """Return the arguments of an exec form, or of plain words."""
        exec_form = self.exec_form()
        return exec_form if exec_form is not None else shlex.split(self.text)

    def exec_form(self) -> list[str] | None:
        """Return the arguments if written as a JSON list, else None."""
        if not self.text.startswith("["):
            return None
        try:
            words = json.loads(self.text)
        except ValueError:
            return None
        return [str(word) for word in words]

    def command(self) -> tuple[str, ...]:
        """Return the argv of CMD or ENTRYPOINT; the shell form runs in a shell."""
        exec_form = self.exec_form()
        return tuple(exec_form) if exec_form is not None else ("/bin/sh", "-c", self.text)

    def pairs(self) -> list[tuple[str, str]]:
        """Return the pairs of ENV, ARG and LABEL: ``a=b c="d e"``, or the old form ``a b``."""
        words = shlex.split(self.text)
        if self.name == "ENV" and words and "=" not in words[0]:
            key, _, value = self.text.partition(" ")
            return [(key, value.strip())]
        return [(key, value) for key, _, value in (word.partition("=") for word in words)]


@dataclass(frozen=True)
class Stage:
    """One ``FROM``: the base as written, the stage's name, its instructions."""

    base: str
    name: str
    instructions: tuple[Instruction, ...]


@dataclass(frozen=True)
class Dockerfile:
    """The arguments given before the first stage, and the stages."""

    arguments: tuple[Instruction, ...]
    stages: tuple[Stage, ...]


def parse(text: str) -> Dockerfile:
    """Read a Dockerfile.

    Raises:
        DockerfileError: no stage, or an instruction before the first.
    """
    arguments: list[Instruction] = []
    stages: list[Stage] = []
    for instruction in _read_instructions(text):
        if instruction.name == "FROM":
            words = instruction.text.split()
            has_name = len(words) == 3 and words[1].upper() == "AS"  # noqa: PLR2004 - FROM x AS y
            name = words[2].lower() if has_name else str(len(stages))
            stages.append(Stage(words[0], name, ()))
        elif stages:
            last = stages[-1]
            stages[-1] = Stage(last.base, last.name, (*last.instructions, instruction))
        elif instruction.name == "ARG":
            arguments.append(instruction)
        else:
            raise DockerfileError(
                f"dockerfile parse error on line {instruction.line}: {instruction.name} before "
                "the first FROM; a Dockerfile starts with FROM (or ARG)"
            )
    if not stages:
        raise DockerfileError("dockerfile parse error: no FROM in it, so there is nothing to build")
    return Dockerfile(tuple(arguments), tuple(stages))


def substitute(text: str, variables: Mapping[str, str]) -> str:
    """Replace ``$NAME``, ``${NAME}``, ``${NAME:-default}`` and ``${NAME:+other}``."""

    def replace(match: re.Match[str]) -> str:
        escaped, braced, operator, word, plain = match.groups()
        if escaped:
            return "$"
        value = variables.get(braced or plain, "")
        if operator == "-":
            return value or substitute(word, variables)
        if operator == "+":
            return substitute(word, variables) if value else ""
        return value

    return _VARIABLE.sub(replace, text)


def split_commands(text: str) -> list[list[str]]:
    """Split a shell line at ``&&``, ``;`` and newlines into commands of words."""
    commands: list[list[str]] = []
    for line in text.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&;|<>")
        lexer.whitespace_split = True
        words: list[str] = []
        for word in lexer:
            if set(word) <= set("&;|"):
                commands.append(words)
                words = []
            else:
                words.append(word)
        commands.append(words)
    return [words for words in commands if words]


def _read_instructions(text: str) -> Iterator[Instruction]:
    lines = text.splitlines()
    escape = "\\"
    position = 0
    while position < len(lines) and (directive := _DIRECTIVE.match(lines[position])):
        if directive[1].lower() == "escape":
            escape = directive[2]
        position += 1
    while position < len(lines):
        start = position
        whole, position = _join(lines, position, escape)
        if not whole:
            continue
        name, _, rest = whole.partition(" ")
        name, rest = name.upper(), rest.strip()
        if name in {"RUN", "COPY", "ADD"}:
            rest, position = _read_heredocs(rest, lines, position)
        flags = {}
        while match := _FLAG.match(rest):
            flags[match[1]] = match[2] or ""
            rest = rest[match.end() :]
        yield Instruction(name, rest, flags, start + 1)


def _join(lines: list[str], position: int, escape: str) -> tuple[str, int]:
    """Join one line with those that continue it; comment lines in between do not count."""
    parts: list[str] = []
    while position < len(lines):
        line = lines[position].strip()
        position += 1
        if line.startswith("#") or (not line and parts):
            continue
        if line.endswith(escape):
            parts.append(line[: -len(escape)].strip())
            continue
        parts.append(line)
        break
    return " ".join(part for part in parts if part), position


def _read_heredocs(rest: str, lines: list[str], position: int) -> tuple[str, int]:
    for mark in _HEREDOC.findall(rest):
        body = []
        while position < len(lines) and lines[position].strip() != mark:
            body.append(lines[position])
            position += 1
        position += 1
        rest = _HEREDOC.sub("", rest, count=1).strip() + "\n".join(["", *body])
    return rest.strip(), position
