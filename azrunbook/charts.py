"""Helm charts, fetched from a repository into a cache on disk.

Starts helm, which talks to the repository; writes below the cache folder it is given. Needs no
cluster, so that a preflight can look for a chart before anything else is there.
"""

import hashlib
import shutil
import tempfile
from pathlib import Path

from azrunbook import binaries

_PULL_SECONDS = 120.0


def pull_chart(
    repository: str,
    chart: str,
    version: str,
    *,
    cache: Path,
    helm: Path,
    ca_bundle: Path | None = None,
) -> Path:
    """Fetch a chart and return its folder; at once when the cache has it.

    ``repository`` is ``https://…`` or ``oci://…``, verified with ``ca_bundle`` (None: the system's
    roots); ``cache`` is the folder to keep charts in.

    Raises:
        CommandError: the repository does not answer or has no such chart and version.
    """
    trusted = ca_bundle.read_bytes() if ca_bundle else b""
    # Another repository under the same address (a new sandbox) has another authority.
    key = hashlib.sha256(repository.encode() + trusted).hexdigest()[:16]
    target = cache / key / f"{chart}-{version}"
    if not (target / "Chart.yaml").exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            is_oci = repository.startswith("oci://")
            source = [f"{repository}/{chart}"] if is_oci else [chart, "--repo", repository]
            trust = ["--ca-file", str(ca_bundle)] if ca_bundle else []
            binaries.run(
                [
                    *(str(helm), "pull", *source, "--version", version),
                    *(*trust, "--untar", "--destination", scratch),
                ],
                timeout_seconds=_PULL_SECONDS,
            )
            _move(Path(scratch) / chart, target)
    return target


def _move(folder: Path, target: Path) -> None:
    """Put a folder in its place at once; another process may have been faster."""
    try:
        folder.rename(target)
    except OSError:
        if not (target / "Chart.yaml").exists():
            shutil.rmtree(target, ignore_errors=True)
            folder.rename(target)
