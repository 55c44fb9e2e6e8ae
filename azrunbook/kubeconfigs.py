"""A cluster's credentials, kept in a file that only this user can read."""

import os
import threading
from pathlib import Path

import yaml

from azrunbook import secrets

_SECRETS = frozenset({"client-key-data", "token", "password"})


def keep(text: str, path: Path) -> str:
    """Write a kubeconfig, register its secrets, and return its current context."""
    config = yaml.safe_load(text)
    for user in config.get("users") or ():
        for key in _SECRETS & user["user"].keys():
            secrets.register(str(user["user"][key]))
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.partial")
    partial.touch(mode=0o600)
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
    return str(config["current-context"])
