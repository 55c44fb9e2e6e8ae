"""Runs inside every Python process of a pod: its address, its name and its mounted files.

The law: only the standard library, and nothing of azrunbook; this file alone is on the
container's path. The reason it exists: a container has namespaces of its own for network, host
name and mounts, and a process of the sandbox has none. So for Python, and only for Python,

* binding "any address" or the loopback binds the pod's address, and connecting to the loopback
  connects to it: two pods can listen on the same port, and do not see each other's;
* the host name is the pod's;
* a name that the pod's virtual network knows is looked up there, each time anew;
* opening, listing, moving and asking about a file under a mount path reaches the volume; /tmp is
  the container's own.

What is not covered: other programs, and calls from C that do not go through these functions.
"""

import builtins
import functools
import io
import json
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

NAMES = os.environ.get("AZRUNBOOK_POD_NAMES", "")
ADDRESS = os.environ.get("AZRUNBOOK_POD_ADDRESS", "")
MOUNTS = json.loads(os.environ.get("AZRUNBOOK_POD_MOUNTS") or "{}")
# Already real: a volume, the image's tree, the interpreter. Where the sandbox itself stands under
# a mount path (a checkout in /tmp, an emptyDir on /tmp), these would be hidden by it.
PLACES = [*json.loads(os.environ.get("AZRUNBOOK_POD_PLACES") or "[]"), sys.prefix, sys.base_prefix]

_open = open  # the machine's own, under any mount path
_ANY = {"", "0.0.0.0"}  # noqa: S104 - compared, not bound
_LOOPBACK = {"localhost", "127.0.0.1"}


def to_pod_address(address: Any, hosts: set[str]) -> Any:
    """Replace the host of an (host, port) pair that means this pod."""
    if isinstance(address, tuple) and len(address) == 2 and address[0] in hosts:  # noqa: PLR2004 - IPv4
        return (ADDRESS, address[1])
    return address


def to_real_path(path: Any) -> Any:
    """Replace a path under a mount by the place where its file is."""
    if isinstance(path, int) or path is None:
        return path
    text = os.fspath(path)
    if isinstance(text, str) and text.startswith("/") and not _is_in(text, PLACES):
        for mount, real in MOUNTS.items():
            if _is_in(text, [mount]):
                return real + "/" + text[len(mount) :].lstrip("/")
    return path


def _is_in(path: str, folders: list[str]) -> bool:
    return any(path == folder or path.startswith(folder.rstrip("/") + "/") for folder in folders)


def _move_method(name: str, hosts: set[str]) -> None:
    inner = getattr(socket.socket, name)

    @functools.wraps(inner)
    def moved(self: socket.socket, address: Any) -> Any:
        is_ipv4 = self.family == socket.AF_INET
        return inner(self, to_pod_address(address, hosts) if is_ipv4 else address)

    setattr(socket.socket, name, moved)


def _move_sockets() -> None:
    _move_method("bind", _ANY | _LOOPBACK)
    _move_method("connect", _LOOPBACK)
    _move_method("connect_ex", _LOOPBACK)
    if os.environ.get("HOSTNAME"):
        socket.gethostname = lambda: os.environ["HOSTNAME"]


def find_address(host: Any) -> Any:
    """Return the address of a name of the virtual network; anything else as it is."""
    name = host.decode() if isinstance(host, bytes) else host
    if not isinstance(name, str):
        return host
    try:
        with _open(NAMES, encoding="utf-8") as file:
            return json.load(file).get(name.rstrip(".").lower(), host)
    except OSError:
        return host


def _move_names() -> None:
    for name in ("getaddrinfo", "gethostbyname"):
        inner = getattr(socket, name)
        setattr(socket, name, _resolving(inner))


def _resolving(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def resolved(host: Any, *rest: Any, **named: Any) -> Any:
        return function(find_address(host), *rest, **named)

    return resolved


def _translating(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def translated(path: Any = ".", *rest: Any, **named: Any) -> Any:
        return function(to_real_path(path), *rest, **named)

    return translated


def _translating_both(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def translated(source: Any, target: Any, *rest: Any, **named: Any) -> Any:
        return function(to_real_path(source), to_real_path(target), *rest, **named)

    return translated


def _move_files() -> None:
    names = ("open", "stat", "lstat", "listdir", "scandir", "access", "mkdir", "unlink", "remove")
    for name in (*names, "readlink", "rmdir", "chdir", "chmod", "truncate", "utime"):
        setattr(os, name, _translating(getattr(os, name)))
    for name in ("rename", "replace", "link", "symlink"):
        setattr(os, name, _translating_both(getattr(os, name)))
    translated = _translating(open)
    for module in (builtins, io):
        setattr(module, "open", translated)  # noqa: B010 - mypy allows no assignment


if ADDRESS:
    _move_sockets()
if NAMES:
    _move_names()
if MOUNTS:
    _move_files()
