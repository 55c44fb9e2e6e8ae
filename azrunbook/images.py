"""Container images, built by the registry from a folder of source.

Packs a folder, uploads it where the registry says, and follows the run it schedules. Needs no
Docker here; :mod:`azrunbook.local_builds` does the same with one.
"""

import ssl
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azrunbook import contexts, errors, operations, secrets, wait

if TYPE_CHECKING:  # the SDKs are imported when a client is made, not with this module
    from azrunbook import arm, login_server

_TASKS_API_VERSION = "2025-03-01-preview"
_WAITING = "Queued"  # for an agent; there is no log yet
_ENDED = frozenset({"Succeeded", "Failed", "Canceled", "Error", "Timeout"})
_BUILD_CORES = 2
_UPLOAD_SECONDS = 120
_LOG_LINES = 15  # of a failed build, in the error


@dataclass(frozen=True)
class _Run:
    """One run: ``status`` is ``Queued``, ``Running``, ``Succeeded``, ``Failed`` and the like."""

    digest: str
    status: str


class Registry:
    """One container registry and its builds.

    Args:
        registry_id: ARM id.
        login_server: its own address.
        api_version: of Microsoft.ContainerRegistry.
        ca_bundle: verifies the place that source is uploaded to; None: the system's roots.
        polling_interval_seconds: between two looks at a run.
    """

    def __init__(
        self,
        client: "arm.ArmClient",
        *,
        registry_id: str,
        login_server: "login_server.LoginServer",
        api_version: str,
        ca_bundle: Path | None,
        polling_interval_seconds: float,
    ) -> None:
        self._arm = client
        self._id = registry_id
        self._login_server = login_server
        self._api_version = api_version
        self._ca_bundle = ca_bundle
        self._polling_interval = polling_interval_seconds

    def __str__(self) -> str:
        return f"the registry {self.login_server}"

    @property
    def login_server(self) -> str:
        """The host in front of an image's name."""
        return self._login_server.host

    def find(self) -> dict[str, Any] | None:
        """Read the registry; None when it does not exist."""
        return self._arm.find(self._id, self._api_version)

    def find_digest(self, name: str) -> str:
        """The digest of a ``repository:tag``; empty when the registry, or this in it, is not there.

        Raises:
            ConnectError: the registry does not answer, or refuses the identity.
        """
        return self._login_server.find_digest(name) if self.find() is not None else ""

    def build(
        self,
        folder: Path,
        *,
        names: Sequence[str],
        arguments: Mapping[str, str],
        timeout: float,
        progress: operations.Tell,
    ) -> str:
        """Build ``folder/Dockerfile`` under ``repository:tag`` names; the digest of the image.

        ``arguments`` are the build's; ``timeout`` is in seconds. The log is told line by line.

        Raises:
            WaitTimeoutError: the run has not ended; it goes on in Azure.
            StepError: the build failed; carries the end of its log.
        """
        location = self._upload(contexts.pack(folder))
        run = self._arm.post(
            f"{self._id}/scheduleRun",
            _TASKS_API_VERSION,
            {
                "type": "DockerBuildRequest",
                "imageNames": list(names),
                "isPushEnabled": True,
                "noCache": False,
                "dockerFilePath": contexts.DOCKERFILE,
                "arguments": [
                    {"name": name, "value": value, "isSecret": False}
                    for name, value in arguments.items()
                ],
                "timeout": max(300, round(timeout)),  # what the service takes at least
                "platform": {"os": "Linux", "architecture": "amd64"},
                "agentConfiguration": {"cpu": _BUILD_CORES},
                "sourceLocation": location,
            },
        )
        run_id = run["properties"]["runId"]
        log: list[str] = []
        done = wait.wait_until(
            lambda: self._look(run_id, log, progress),
            what=f"build {names[0]} (run {run_id})",
            timeout=timeout,
            interval=self._polling_interval,
            progress=progress,
        )
        if done.status != "Succeeded":
            end = "\n".join(log[-_LOG_LINES:])
            raise errors.StepError(
                f"build {names[0]} (run {run_id}) ended as {done.status}: expected Succeeded. "
                f"The end of its log:\n{end}"
            )
        return done.digest

    def _look(self, run_id: str, log: list[str], progress: operations.Tell) -> wait.Seen[_Run]:
        """Look at a run, and tell and keep what it has printed since the last look."""
        run = _describe(self._arm.get(f"{self._id}/runs/{run_id}", _TASKS_API_VERSION))
        if run.status != _WAITING:
            for line in self._read_log(run_id)[len(log) :]:
                log.append(line)
                progress(line)
        return wait.Seen(run, run.status in _ENDED, f"build {run_id}: {run.status}")

    def _read_log(self, run_id: str) -> list[str]:
        answer = self._arm.post(f"{self._id}/runs/{run_id}/listLogSasUrl", _TASKS_API_VERSION)
        text = self._transfer("GET", answer["logLink"]).decode(errors="replace")
        return secrets.scrub(text).splitlines()

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


def _describe(body: Mapping[str, Any]) -> _Run:
    properties = body["properties"]
    made = properties.get("outputImages") or ()
    return _Run(next((one["digest"] for one in made), ""), properties["status"])
