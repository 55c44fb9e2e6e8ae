"""From an image and a container's specification to a command line. Looks at files, starts nothing.

A program is looked for on the container's own PATH (the image's tree first, then the machine's
own folders, where ``sh`` and ``sleep`` are); Python and its scripts are run by the interpreter of
:mod:`python`. The user of the image is not changed to: everything runs as the sandbox's user.
"""

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from azrunbook.sandbox.node import config, environment, image as images, paths, python

MARK = "AZRUNBOOK_CONTAINER"


class StartError(Exception):
    """The container cannot be started; the words are runc's."""


@dataclass(frozen=True)
class Launch:
    """A process to start."""

    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: Path


def mark(planned: Launch) -> Launch:
    """Mark what is to be started, and all that it starts, as one run of a container."""
    return replace(planned, env={**planned.env, MARK: secrets.token_hex(8)})


@dataclass(frozen=True)
class Surroundings:
    """What a container finds around it."""

    path_map: paths.PathMap
    address: str
    host_name: str
    home: Path
    temporary: Path
    names_path: Path | None = None


def plan_launch(
    image: images.Image,
    container: config.Object,
    env: Mapping[str, str],
    around: Surroundings,
) -> Launch:
    """Put the command line, the environment and the directory together.

    Raises:
        StartError: no command, or its program is not found.
    """
    cwd = _find_workdir(image, container, around)
    complete = _complete_environment(image, env, around)
    argv = choose_argv(image, container, env)
    if not argv:
        raise StartError("no command specified")
    argv = image.adapt(argv, around.address)
    return plan_program(image, argv, complete, around, cwd=cwd)


def plan_program(
    image: images.Image,
    argv: Sequence[str],
    env: dict[str, str],
    around: Surroundings,
    *,
    cwd: Path,
) -> Launch:
    """Resolve a program (of a container, a probe or a hook) and translate its arguments.

    Raises:
        StartError: the program is not found.
    """
    program = find_program(argv[0], image, env, around, cwd)
    arguments = [around.path_map.translate(argument) for argument in argv[1:]]
    renaming = paths.keep_names(argv, arguments)
    return Launch((*program, *arguments, *renaming), env, cwd)


def choose_argv(image: images.Image, container: config.Object, env: Mapping[str, str]) -> list[str]:
    """Choose between the image's and the pod's command and arguments, as Kubernetes does. Pure."""
    command = [environment.expand(word, env) for word in container.get("command") or ()]
    arguments = [environment.expand(word, env) for word in container.get("args") or ()]
    if command or arguments:
        return [*(command or image.entrypoint), *arguments]
    return [*image.entrypoint, *image.command]


def find_program(
    name: str,
    image: images.Image,
    env: Mapping[str, str],
    around: Surroundings,
    cwd: Path,
) -> tuple[str, ...]:
    """Return the words that start a program.

    Raises:
        StartError: it is nowhere on the PATH.
    """
    for candidate in _candidates(name, image, env, around, cwd):
        if candidate.is_file() and os.access(candidate, os.X_OK):
            if python.is_script(candidate):
                return (str(python.find_interpreter()), str(candidate))
            return (str(candidate),)
    if python.is_python(name.rpartition("/")[2]):
        return (str(python.find_interpreter()),)
    problem = "no such file or directory" if "/" in name else "executable file not found in $PATH"
    raise StartError(
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: "
        f'runc create failed: unable to start container process: exec: "{name}": {problem}: unknown'
    )


def _candidates(
    name: str,
    image: images.Image,
    env: Mapping[str, str],
    around: Surroundings,
    cwd: Path,
) -> list[Path]:
    if name.startswith("/"):
        return [around.path_map.find(name) or Path(name)]
    if "/" in name:
        return [cwd / name]
    if python.is_python(name):
        return []  # the bare interpreter, not one that happens to be on the machine's PATH
    folders = [*image.search_path, *(Path(part) for part in env.get("PATH", "").split(":") if part)]
    return [folder / name for folder in folders]


def _find_workdir(image: images.Image, container: config.Object, around: Surroundings) -> Path:
    wanted = container.get("workingDir") or image.workdir
    found = around.path_map.find(wanted)
    if found is not None and found.is_dir():
        return found
    return image.root if image.root is not None and wanted == "/" else around.home


def _complete_environment(
    image: images.Image, env: Mapping[str, str], around: Surroundings
) -> dict[str, str]:
    complete = {
        "PATH": os.defpath if image.root is None else "",
        "HOME": str(around.home),
        "TMPDIR": str(around.temporary),
        "LANG": "C.UTF-8",
        "HOSTNAME": around.host_name,
        **{key: around.path_map.translate(value) for key, value in env.items()},
    }
    if not complete["PATH"]:
        complete["PATH"] = "/usr/local/bin:/usr/bin:/bin"
    given = complete.get("PYTHONPATH", "")
    parts = [str(python.INSIDE), *filter(None, [given]), *(str(site) for site in image.sites)]
    complete["PYTHONPATH"] = ":".join(parts)
    complete["PYTHONNOUSERSITE"] = "1"
    complete["AZRUNBOOK_POD_ADDRESS"] = around.address
    if around.names_path is not None:
        complete["AZRUNBOOK_POD_NAMES"] = str(around.names_path)
    mounts = {mount: str(real) for mount, real in around.path_map.mounts.items()}
    if mounts:
        complete["AZRUNBOOK_POD_MOUNTS"] = json.dumps(mounts)
        complete["AZRUNBOOK_POD_PLACES"] = json.dumps(around.path_map.places)
    return complete
