"""What the shell completes: notebooks, environments, targets and runs, from the files there are."""

from collections.abc import Iterator
from pathlib import Path

from azrunbook import errors


def list_notebooks(incomplete: str) -> list[str]:
    return sorted(
        path.stem
        for path in _find("notebooks").glob("[0-9]*.ipynb")
        if path.stem.startswith(incomplete)
    )


def list_environments(incomplete: str) -> list[str]:
    found = (path.parent.name for path in _find("infra").glob("*/estate.yaml"))
    return sorted(name for name in found if name.startswith(incomplete))


def list_targets(incomplete: str) -> list[str]:
    return [name for name in ("sandbox", "azure") if name.startswith(incomplete)]


def list_engines(incomplete: str) -> list[str]:
    return [name for name in ("arm", "terraform") if name.startswith(incomplete)]


def list_runs(incomplete: str) -> list[str]:
    """Procedures (their newest run is meant), and single runs, the newest first."""
    return [name for name in _name_runs() if name.startswith(incomplete)]


def _name_runs() -> Iterator[str]:
    runs = sorted(_find("reports").glob("*/2*/journal.jsonl"), reverse=True)
    yield from sorted({path.parent.parent.name for path in runs})
    yield from (f"{path.parent.parent.name}/{path.parent.name}" for path in runs)


def _find(folder: str) -> Path:
    """A folder of the checkout; one that is not there completes to nothing."""
    from azrunbook import estate

    try:
        return estate.find_project() / folder
    except errors.EstateError:
        return Path(folder)
