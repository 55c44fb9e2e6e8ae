"""The chart repository of the sandbox: index.yaml and packaged charts over HTTPS.

Helm asks it as it asks any repository, with the sandbox's authority as `--ca-file`. The charts lie
as folders beside this module and are packaged when the repository starts, always to the same
bytes: no times, owners or modes of this machine get in, so a digest names the chart's content.
"""

import gzip
import hashlib
import io
import ssl
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

CHARTS = Path(__file__).with_name("charts")
# Helm wants a time of creation; the content is older than any sandbox, and the same in all.
_CREATED = "2026-01-01T00:00:00Z"


@dataclass(frozen=True)
class Package:
    """One packaged chart: what `helm package` would have made of the folder."""

    metadata: Mapping[str, Any]
    content: bytes

    @property
    def file_name(self) -> str:
        return f"{self.metadata['name']}-{self.metadata['version']}.tgz"

    @property
    def digest(self) -> str:
        """SHA-256 of the archive, hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


def package(folder: Path) -> Package:
    """Package a chart folder; the same content gives the same bytes.

    Raises:
        FileNotFoundError: there is no Chart.yaml in the folder.
    """
    metadata = yaml.safe_load((folder / "Chart.yaml").read_text(encoding="utf-8"))
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            # The name Helm expects: everything under one folder named after the chart.
            member = tarfile.TarInfo(f"{metadata['name']}/{path.relative_to(folder).as_posix()}")
            data = path.read_bytes()
            member.size, member.mode = len(data), 0o644
            tar.addfile(member, io.BytesIO(data))
    return Package(metadata=metadata, content=gzip.compress(archive.getvalue(), mtime=0))


def index(packages: list[Package]) -> str:
    """The repository's index.yaml for these packages."""
    entries: dict[str, list[dict[str, Any]]] = {}
    for chart in packages:
        entry = {
            **chart.metadata,
            "created": _CREATED,
            "digest": chart.digest,
            "urls": [chart.file_name],
        }
        entries.setdefault(str(chart.metadata["name"]), []).append(entry)
    return yaml.safe_dump({"apiVersion": "v1", "entries": entries, "generated": _CREATED})


class ChartRepository:
    """Serves the charts of a folder under /charts/."""

    def __init__(
        self, *, address: str, port: int, ssl_context: ssl.SSLContext, folder: Path = CHARTS
    ) -> None:
        """Take where to listen (port 0 means any free one) and which charts to serve."""
        self.port = port
        self._address = address
        self._ssl_context = ssl_context
        self._folder = folder
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """What to give to `helm --repo`."""
        return f"https://{self._address}:{self.port}/charts"

    async def start(self) -> None:
        """Package the charts and listen.

        Raises:
            OSError: the port is taken or may not be bound.
        """
        packages = [package(path.parent) for path in sorted(self._folder.glob("*/Chart.yaml"))]
        files = {f"/charts/{chart.file_name}": chart.content for chart in packages}
        files["/charts/index.yaml"] = index(packages).encode()

        async def serve(request: web.Request) -> web.Response:
            content = files.get(request.path)
            if content is None:
                raise web.HTTPNotFound(text=f"{request.path} is not in this chart repository\n")
            return web.Response(body=content, content_type="application/octet-stream")

        app = web.Application()
        app.router.add_get("/{path:.*}", serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._address, self.port, ssl_context=self._ssl_context)
        try:
            await site.start()
        except OSError:
            await self.stop()
            raise
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
