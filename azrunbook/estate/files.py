"""Where an environment's files are, and reading them. Touches those files only."""

import json
from pathlib import Path

from azrunbook import documents, errors
from azrunbook.estate.ingress import Ingress
from azrunbook.estate.model import Estate

ENVIRONMENTS = ("dv", "staging", "prod")


def json_schema() -> str:
    """The JSON Schema of an estate file, for editors; ``infra/estate.schema.json`` holds it."""
    return json.dumps(Estate.model_json_schema(), indent=2) + "\n"


def find_project() -> Path:
    """Find the folder that holds ``infra/``: the current folder or the nearest above it.

    Raises:
        EstateError: not inside a checkout.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "infra").is_dir() and (folder / "notebooks").is_dir():
            return folder
    raise errors.EstateError(
        f"{here} is not inside a checkout of the runbook: expected a folder with infra/ and "
        "notebooks/ here or above. Change into the checkout and try again."
    )


def load(environment: str, project: Path | None = None) -> Estate:
    """Read and validate ``infra/<environment>/estate.yaml``.

    Raises:
        EstateError: the file is missing, is not YAML, or is not an estate; every mistake in it is
            listed with line, key, what was found, what was expected and an example.
    """
    _require_environment(environment)
    return documents.read(
        Estate, (project or find_project()) / "infra" / environment / "estate.yaml"
    )


def load_ingress(environment: str, project: Path | None = None) -> Ingress:
    """Read and validate ``kubernetes-config/<environment>/traefik.yaml`` as :func:`load` does."""
    _require_environment(environment)
    folder = (project or find_project()) / "kubernetes-config" / environment
    return documents.read(Ingress, folder / "traefik.yaml")


def _require_environment(environment: str) -> None:
    if environment not in ENVIRONMENTS:
        raise errors.EstateError(
            f"no environment '{environment}': expected one of {', '.join(ENVIRONMENTS)}. "
            "Example: --env dv"
        )
