"""The OpenAPI definitions of Kubernetes 1.36, read once per process.

Law: the only module that opens the package `kubernetes-validate`. All clusters share what is read.
"""

import functools
import json
from collections.abc import Mapping
from importlib import resources as package_files, util
from pathlib import Path
from typing import Any

PACKAGE = "kubernetes_validate"
FOLDER = "kubernetes-json-schema/v1.36.0-local"
PREFIX = "#/$defs/"
API = "io.k8s.api."


@functools.cache
def load() -> Mapping[str, Any]:
    """Definition name to schema, 771 of them; about 10 MB once parsed."""
    # Found, not imported: the package itself compiles grammars for two seconds.
    package = util.find_spec(PACKAGE)
    if package is None or package.origin is None:
        raise ModuleNotFoundError(f"{PACKAGE} is not installed; expected it with extra [sandbox]")
    path = Path(package.origin).parent / FOLDER / "_definitions.json"
    definitions: dict[str, Any] = json.loads(path.read_bytes())["$defs"]
    return definitions


@functools.cache
def by_kind() -> Mapping[tuple[str, str], str]:
    """(apiVersion, kind) to the name of its definition."""
    found: dict[tuple[str, str], str] = {}
    for name, schema in load().items():
        for gvk in schema.get("x-kubernetes-group-version-kind", ()):
            group, version = gvk["group"], gvk["version"]
            api_version = f"{group}/{version}" if group else version
            found.setdefault((api_version, gvk["kind"]), name)
    return found


def short_name(name: str) -> str:
    """`io.k8s.api.core.v1.Pod` as `core.v1.Pod`; other names stay whole."""
    return name.removeprefix(API)


def describe(path: str) -> str:
    """The description of a field, named `core.v1.PodStatus.podIP` (definition, field)."""
    name, _, field = path.rpartition(".")
    if name == "metadata":
        name = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
    schema = load().get(API + name) or load()[name]
    return str(schema["properties"][field].get("description", ""))


@functools.cache
def go_types() -> Mapping[str, Any]:
    """What JSON shows of the Go types and the definitions leave out (`go_types.json`)."""
    text = package_files.files(__package__).joinpath("go_types.json").read_text()
    data: dict[str, Any] = json.loads(text)
    return data
