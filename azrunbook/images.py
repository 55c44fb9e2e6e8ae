"""Container images, built by the registry from a folder of source.

Packs a folder, uploads it where the registry says, and follows the run it schedules. Needs no
Docker here. The archive is the same for the same content on every machine (sorted, no times, no
owners), so that its digest names the source an image was built from.
"""

import gzip
import hashlib
import io
import re
import ssl
import tarfile
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from azrunbook import errors, operations, secrets, wait

if TYPE_CHECKING:  # the SDKs are imported when a client is made, not with this module
    from azrunbook import arm

_TASKS_API_VERSION = "2025-03-01-preview"
_DOCKERFILE = "Dockerfile"
_ENDED = frozenset({"Succeeded", "Failed", "Canceled", "Error", "Timeout"})
_BUILD_CORES = 2
_UPLOAD_SECONDS = 120
_LOG_LINES = 15  # of a failed build, in the error
_EXECUTABLE, _PLAIN = 0o755, 0o644


@dataclass(frozen=True)
class Build:
    """One run of the registry.

    Attributes:
        names: ``repository:tag`` of every image it made.
        digest: ``sha256:…`` of the image; empty unless it succeeded.
        status: ``Queued``, ``Running``, ``Succeeded``, ``Failed`` and the like.
    """

    run_id: str
    names: tuple[str, ...]
    digest: str
    status: str


class Registry:
    """One container registry and its builds.

    Args:
        registry_id: ARM id.
        api_version: of Microsoft.ContainerRegistry.
        ca_bundle: verifies the place that source is uploaded to; None: the system's roots.
        polling_interval_seconds: between two looks at a run.
    """

    def __init__(
        self,
        client: "arm.ArmClient",
        *,
        registry_id: str,
        api_version: str,
        ca_bundle: Path | None,
        polling_interval_seconds: float,
    ) -> None:
        self._arm = client
        self._id = registry_id
        self._api_version = api_version
        self._ca_bundle = ca_bundle
        self._polling_interval = polling_interval_seconds

    @property
    def login_server(self) -> str:
        """The host in front of an image's name; Azure's public cloud forms it from the name."""
        return f"{self._id.rpartition('/')[2]}.azurecr.io"

    def find(self) -> dict[str, Any] | None:
        """Read the registry; None when it does not exist."""
        return self._arm.find(self._id, self._api_version)

    def find_build(self, names: Sequence[str]) -> Build | None:
        """Find the newest build that succeeded and made all of these ``repository:tag``.

        Raises:
            StepError: ARM refused.
        """
        try:
            runs = [
                _describe(one) for one in self._arm.list(f"{self._id}/runs", _TASKS_API_VERSION)
            ]
        except errors.NotFoundError:  # no registry yet, so no build
            return None
        wanted = set(names)
        return next(
            (one for one in runs if one.status == "Succeeded" and wanted <= set(one.names)), None
        )

    def find_digest(self, name: str) -> str:
        """The digest of a ``repository:tag``; empty when the registry does not have it."""
        found = self.find_build([name])
        return found.digest if found else ""

    def build(
        self,
        folder: Path,
        *,
        names: Sequence[str],
        timeout: float,
        progress: operations.Tell | None = None,
    ) -> Build:
        """Build ``folder/Dockerfile`` under ``repository:tag`` names; ``timeout`` in seconds.

        Raises:
            WaitTimeoutError: the run has not ended; it goes on in Azure.
            StepError: the build failed; carries the end of its log.
        """
        location = self._upload(pack(folder))
        run = self._arm.post(
            f"{self._id}/scheduleRun",
            _TASKS_API_VERSION,
            {
                "type": "DockerBuildRequest",
                "imageNames": list(names),
                "isPushEnabled": True,
                "noCache": False,
                "dockerFilePath": _DOCKERFILE,
                "timeout": max(300, round(timeout)),  # what the service takes at least
                "platform": {"os": "Linux", "architecture": "amd64"},
                "agentConfiguration": {"cpu": _BUILD_CORES},
                "sourceLocation": location,
            },
        )
        run_id = run["properties"]["runId"]
        build = wait.wait_until(
            lambda: self._look(run_id),
            what=f"build {names[0]} (run {run_id})",
            timeout=timeout,
            interval=self._polling_interval,
            progress=progress,
        )
        if build.status != "Succeeded":
            log = "\n".join(self.read_log(run_id).splitlines()[-_LOG_LINES:])
            raise errors.StepError(
                f"build {names[0]} (run {run_id}) ended as {build.status}: expected Succeeded. "
                f"The end of its log:\n{log}"
            )
        return build

    def read_log(self, run_id: str) -> str:
        """Fetch what a run has printed so far."""
        answer = self._arm.post(f"{self._id}/runs/{run_id}/listLogSasUrl", _TASKS_API_VERSION)
        return self._transfer("GET", answer["logLink"]).decode(errors="replace")

    def _look(self, run_id: str) -> wait.Seen[Build]:
        build = _describe(self._arm.get(f"{self._id}/runs/{run_id}", _TASKS_API_VERSION))
        return wait.Seen(build, build.status in _ENDED, f"build {run_id}: {build.status}")

    def _upload(self, context: bytes) -> str:
        answer = self._arm.post(f"{self._id}/listBuildSourceUploadUrl", _TASKS_API_VERSION)
        self._transfer("PUT", answer["uploadUrl"], context)
        return str(answer["relativePath"])

    def _transfer(self, method: str, url: str, content: bytes | None = None) -> bytes:
        """Send or fetch a blob by its signed URL, which is a secret."""
        import httpx

        secrets.register(urllib.parse.urlsplit(url).query)
        context = ssl.create_default_context(cafile=self._ca_bundle)
        headers = {"x-ms-blob-type": "BlockBlob"} if content is not None else None
        try:
            with httpx.Client(verify=context, timeout=_UPLOAD_SECONDS) as client:
                answer = client.request(method, url, content=content, headers=headers)
                answer.raise_for_status()
        except httpx.HTTPError as error:
            host = urllib.parse.urlsplit(url).netloc
            raise errors.StepError(
                f"{method} of a blob at {host} failed: {type(error).__name__}. Run it again."
            ) from error
        return answer.content


def digest_context(folder: Path) -> str:
    """SHA-256 (hexadecimal) of what a build of the folder would be sent."""
    return hashlib.sha256(_pack(folder)).hexdigest()


def pack(folder: Path) -> bytes:
    """A tar.gz of a folder without what its ``.dockerignore`` names."""
    return gzip.compress(_pack(folder), mtime=0)


def list_context(folder: Path) -> tuple[PurePosixPath, ...]:
    """The files a build is sent, relative to the folder, sorted."""
    ignore = folder / ".dockerignore"
    rules = list(_read_rules(ignore.read_text(encoding="utf-8"))) if ignore.exists() else []
    files = (
        PurePosixPath(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()
    )
    return tuple(
        sorted(
            path
            for path in files
            # Docker sends these two always; the builder needs them.
            if str(path) in {_DOCKERFILE, ".dockerignore"} or not _is_ignored(path, rules)
        )
    )


def _pack(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in list_context(folder):
            source = folder / path
            entry = tarfile.TarInfo(str(path))
            entry.size = source.stat().st_size
            entry.mode = _EXECUTABLE if source.stat().st_mode & 0o100 else _PLAIN
            with source.open("rb") as content:
                archive.addfile(entry, content)
    return buffer.getvalue()


def _read_rules(text: str) -> Iterator[tuple[bool, re.Pattern[str]]]:
    """Read .dockerignore lines as (excludes, pattern); the last that matches decides."""
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        excludes = not line.startswith("!")
        yield excludes, _compile(line.lstrip("!").strip().strip("/").removeprefix("./"))


def _compile(rule: str) -> re.Pattern[str]:
    """Docker's pattern: ``*`` stays in a folder, ``**`` does not; a folder takes its content."""
    expression = ""
    for part in re.split(r"(\*\*/|\*\*|\*|\?)", rule):
        expression += {"**/": "(.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(
            part, re.escape(part)
        )
    return re.compile(f"{expression}(/.*)?")


def _is_ignored(path: PurePosixPath, rules: Sequence[tuple[bool, re.Pattern[str]]]) -> bool:
    verdict = False
    for excludes, pattern in rules:
        if pattern.fullmatch(str(path)):
            verdict = excludes
    return verdict


def _describe(body: Mapping[str, Any]) -> Build:
    properties = body["properties"]
    made = properties.get("outputImages") or ()
    return Build(
        run_id=properties["runId"],
        names=tuple(f"{one['repository']}:{one['tag']}" for one in made),
        digest=next((one["digest"] for one in made), ""),
        status=properties["status"],
    )
