"""Builds an image from a Dockerfile's own instructions, without its base.

The law: a build writes only under its own folder. What is done: stages, COPY, ADD of files,
WORKDIR, ENV, ARG, USER, CMD, ENTRYPOINT, STOPSIGNAL, ``mkdir``, ``python -m venv`` and
``pip install``. What is not: everything else in RUN, and the base image; both are logged as
skipped. The Python of the base is the one that runs the sandbox.
"""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from azrunbook.sandbox.node import contexts, dockerfile, python, requirements

VERSION = "1"
BASE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

Log = Callable[[str], None]


@dataclass
class StageState:
    """What a stage has become so far: its tree and its configuration."""

    root: Path
    env: dict[str, str] = field(default_factory=lambda: {"PATH": BASE_PATH})
    arguments: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = ""
    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    stop_signal: str = "SIGTERM"
    venvs: list[str] = field(default_factory=list)

    @property
    def variables(self) -> dict[str, str]:
        """What ``$NAME`` means: the environment wins over build arguments."""
        return {**self.arguments, **self.env}

    def locate(self, path: str) -> Path:
        """Return where an absolute or relative path of the image really is."""
        absolute = os.path.normpath(str(PurePosixPath(self.workdir) / path))
        return self.root / python.to_this_minor(absolute).lstrip("/")

    def find_venv(self) -> str:
        """Return the virtual environment that is first on the PATH, or nothing."""
        first = self.env["PATH"].split(":")[0].removesuffix("/bin")
        return first if first in self.venvs else ""


class Builder:
    """Runs the instructions of one Dockerfile over one unpacked context."""

    def __init__(
        self,
        context: Path,
        scratch: Path,
        layers: requirements.LayerStore,
        log: Log,
        *,
        arguments: Mapping[str, str],
    ) -> None:
        self._context = context
        self._scratch = scratch
        self._layers = layers
        self._log = log
        self._given = dict(arguments)
        self._stages: list[tuple[str, StageState]] = []

    async def build(self, parsed: dockerfile.Dockerfile) -> StageState:
        """Build every stage; the last one is the image.

        Raises:
            ContextError: a file to copy is not there.
            InstallError: requirements cannot be installed.
        """
        outer: dict[str, str] = {}
        for argument in parsed.arguments:
            outer.update(self._read_arguments(argument, outer))
        for number, stage in enumerate(parsed.stages):
            state = self._begin(number, stage, outer)
            self._stages.append((stage.name, state))
            for instruction in stage.instructions:
                self._log(f"[{stage.name}] {instruction.name} {instruction.text}")
                await self._apply(instruction, state, outer)
        return self._stages[-1][1]

    def _begin(self, number: int, stage: dockerfile.Stage, outer: Mapping[str, str]) -> StageState:
        base = dockerfile.substitute(stage.base, outer)
        state = StageState(self._scratch / f"stage-{number}")
        earlier = self._find_stage(base)
        if earlier is None:
            self._log(f"[{stage.name}] FROM {base}: base skipped, {python.TAG} of the sandbox used")
            state.root.mkdir(parents=True)
            if base.rpartition("/")[2].startswith("python"):
                _add_python(state.root / "usr/local/bin")
            return state
        self._log(f"[{stage.name}] FROM {base}")
        shutil.copytree(earlier.root, state.root, symlinks=True)
        rest = {key: value for key, value in vars(earlier).items() if key not in {"root", "env"}}
        return StageState(state.root, dict(earlier.env), **rest)

    async def _apply(
        self, instruction: dockerfile.Instruction, state: StageState, outer: Mapping[str, str]
    ) -> None:
        match instruction.name:
            case "COPY" | "ADD":
                self._copy(instruction, state)
            case "RUN":
                await self._run(instruction, state)
            case "ARG":
                values = self._read_arguments(instruction, {**outer, **state.variables})
                state.arguments.update({**values, **{k: outer[k] for k in values if k in outer}})
            case "ENV":
                for key, value in instruction.pairs():
                    state.env[key] = dockerfile.substitute(value, state.variables)
            case "CMD":
                state.command = instruction.command()
            case "ENTRYPOINT":
                state.entrypoint, state.command = instruction.command(), ()
            case "WORKDIR" | "USER" | "STOPSIGNAL":
                self._set(instruction, state)
            case _:
                pass  # EXPOSE, LABEL, HEALTHCHECK, VOLUME: nothing that a cluster would act on

    def _set(self, instruction: dockerfile.Instruction, state: StageState) -> None:
        text = dockerfile.substitute(instruction.text, state.variables)
        if instruction.name == "USER":
            state.user = text
        elif instruction.name == "STOPSIGNAL":
            state.stop_signal = text
        else:
            state.workdir = os.path.normpath(str(PurePosixPath(state.workdir) / text))
            state.locate(".").mkdir(parents=True, exist_ok=True)

    def _read_arguments(
        self, instruction: dockerfile.Instruction, known: Mapping[str, str]
    ) -> dict[str, str]:
        return {
            key: self._given.get(key, dockerfile.substitute(value, known))
            for key, value in instruction.pairs()
        }

    def _copy(self, instruction: dockerfile.Instruction, state: StageState) -> None:
        words = [dockerfile.substitute(word, state.variables) for word in instruction.words()]
        *sources, target = words
        origin: StageState | None = None
        if "from" in instruction.flags:
            origin = self._find_stage(dockerfile.substitute(instruction.flags["from"], state.env))
            if origin is None:
                self._log(f"  skipped: image {instruction.flags['from']} is not built here")
                return
        for source in sources:
            if "://" in source:
                self._log(f"  skipped: {source} is not downloaded")
                continue
            root = origin.root if origin is not None else self._context
            into_folder = target.endswith("/") or len(sources) > 1 or target in {".", ".."}
            for found in _find_sources(root, python.to_this_minor(source) if origin else source):
                _copy_one(found, state.locate(target), into_folder=into_folder)

    async def _run(self, instruction: dockerfile.Instruction, state: StageState) -> None:
        exec_form = instruction.exec_form()
        text = dockerfile.substitute(instruction.text, state.variables)
        commands = dockerfile.split_commands(text) if exec_form is None else [exec_form]
        for words in commands:
            install = requirements.parse_install(words, venv=state.find_venv())
            program = words[0].rpartition("/")[2]
            if install is not None:
                await self._install(install, state)
            elif python.is_python(program) and words[1:3] == ["-m", "venv"]:
                state.venvs += [word for word in words[3:] if not word.startswith("-")]
            elif program == "mkdir":
                for word in words[1:]:
                    if not word.startswith("-"):
                        state.locate(word).mkdir(parents=True, exist_ok=True)
            else:
                self._log(f"  skipped: {' '.join(words)}")

    async def _install(self, install: requirements.Install, state: StageState) -> None:
        if install.is_empty:
            return
        files = [state.locate(name) for name in (*install.files, *install.constraints)]
        for name, path in zip((*install.files, *install.constraints), files, strict=True):
            if not path.is_file():
                raise contexts.ContextError(
                    f"could not open requirements file {name}: not in the image; COPY it first"
                )
        layer = await self._layers.ensure(install, files, self._log)
        if install.target:
            _link_tree(layer / "lib" / python.TAG / "site-packages", state.locate(install.target))
            if (layer / "bin").exists():
                _link_tree(layer / "bin", state.locate(install.target) / "bin")
        else:
            _link_tree(layer, state.locate(install.prefix))

    def _find_stage(self, name: str) -> StageState | None:
        for number, (stage_name, state) in enumerate(self._stages):
            if name.lower() == stage_name or name == str(number):
                return state
        return None


def _find_sources(root: Path, source: str) -> list[Path]:
    relative = os.path.normpath("/" + source).lstrip("/")
    if any(sign in relative for sign in "*?["):
        found = sorted(root.glob(relative))
    else:
        found = [root / relative] if (root / relative).exists() else []
    if not found:
        raise contexts.ContextError(
            f'failed to compute cache key: "/{relative}": not found. Is it in the build context '
            "(and not in .dockerignore), or in the stage it is copied from?"
        )
    return found


def _copy_one(source: Path, target: Path, *, into_folder: bool) -> None:
    if source.is_dir():
        _link_tree(source, target)
        return
    place = target / source.name if into_folder or target.is_dir() else target
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    shutil.copy2(source, place)


def _link_tree(source: Path, target: Path) -> None:
    """Copy a tree by hard links: layers are large and never written to again."""
    for folder, _, names in os.walk(source):
        place = target / Path(folder).relative_to(source)
        place.mkdir(parents=True, exist_ok=True)
        for name in names:
            (place / name).unlink(missing_ok=True)
            _link(Path(folder) / name, place / name)


def _add_python(folder: Path) -> None:
    """Put the interpreter where a Python base has it, for shells and scripts in the image."""
    folder.mkdir(parents=True)
    for name in ("python", "python3", python.TAG):
        (folder / name).symlink_to(python.find_interpreter())


def _link(source: Path, target: Path) -> None:
    if source.is_symlink():
        target.symlink_to(source.readlink())
        return
    try:
        target.hardlink_to(source)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target, follow_symlinks=False)
