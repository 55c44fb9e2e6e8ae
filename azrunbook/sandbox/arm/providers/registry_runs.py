"""Build runs of a registry: scheduled, driven by the image backend, watched until they end.

Asyncio tasks, no HTTP. A run is not an ARM long-running operation: clients read the run itself
until its status is final, and its log by a signed URL.
"""

import asyncio
import dataclasses
import datetime as dt
import itertools
import logging
import secrets
import uuid
from typing import Any

from azrunbook.sandbox.arm import backends, blobs, errors, paths
from azrunbook.sandbox.arm.routing import Answer, Call

log = logging.getLogger(__name__)

Json = dict[str, Any]
TYPE = "Microsoft.ContainerRegistry/registries/runs"
_DEFAULT_TIMEOUT_SECONDS = 3600
_FINAL = {"Succeeded", "Failed", "Canceled", "Timeout"}


@dataclasses.dataclass
class _Run:
    number: str
    registry: paths.ResourceId
    names: list[str]
    login_server: str
    created_at: dt.datetime
    guid: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "Queued"
    ended_at: dt.datetime | None = None
    digest: str | None = None
    error: str | None = None
    log: list[str] = dataclasses.field(default_factory=list)
    task: asyncio.Task[None] | None = None


class Runs:
    """The runs of every registry."""

    def __init__(self, images: backends.ImageBackend, stored: blobs.Blobs) -> None:
        self._images = images
        self._blobs = stored
        self._runs: dict[tuple[str, str], _Run] = {}
        self._numbers = itertools.count(1)

    def upload(self, call: Call) -> Answer:
        """Announce where the source goes: a signed URL, and the path to name it by."""
        now = dt.datetime.now(dt.UTC)
        path = f"source/{now:%Y%m%d%H%M}/{secrets.token_hex(16)}.tar.gz"
        url = self._blobs.sign_upload(_blob_name(call.resource, path), call.origin)
        return Answer(200, {"uploadUrl": url, "relativePath": path})

    def schedule(self, call: Call, login_server: str) -> Answer:
        """Start a DockerBuildRequest on an uploaded source.

        Raises:
            errors.ArmError: 400 for another kind of request, or a source that was not uploaded.
        """
        body = call.body
        _check_request(body)
        source = str(body["sourceLocation"])
        context = self._blobs.take(_blob_name(call.resource, source))
        if context is None:
            raise errors.bad_request(
                f"The source location '{source}' was not uploaded: PUT it to the URL of "
                "listBuildSourceUploadUrl first.",
                target="sourceLocation",
            )
        number = f"ca{next(self._numbers)}"
        names = [str(name).replace("{{.Run.ID}}", number) for name in body["imageNames"]]
        run = _Run(number, call.resource, names, login_server, dt.datetime.now(dt.UTC))
        self._runs[(call.resource.key, number)] = run
        run.task = asyncio.create_task(self._drive(run, context, body))
        return Answer(200, _render(run))

    def list(self, call: Call) -> Answer:
        found = [run for (registry, _), run in self._runs.items() if registry == call.resource.key]
        return Answer(200, {"value": [_render(run) for run in reversed(found)]})

    def get(self, call: Call) -> Answer:
        return Answer(200, _render(self._get(call)))

    def cancel(self, call: Call) -> Answer:
        run = self._get(call)
        if run.task and run.status not in _FINAL:
            run.task.cancel()
            _end(run, "Canceled")
        return Answer(200, _render(run))

    def log_url(self, call: Call) -> Answer:
        """Return a signed URL of the log, readable while the run goes on."""
        run = self._get(call)
        name = _blob_name(call.resource.parent, f"logs/{run.guid}/rawtext.log")
        url = self._blobs.sign_download(name, call.origin, lambda: _log_blob(run))
        return Answer(200, {"logLink": url})

    def forget(self, registry_id: str) -> None:
        """Drop the runs of a registry that is gone."""
        for key in [key for key in self._runs if key[0] == registry_id.lower()]:
            task = self._runs.pop(key).task
            if task:
                task.cancel()

    async def stop(self) -> None:
        """Cancel what builds."""
        tasks = [run.task for run in self._runs.values() if run.task]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _drive(self, run: _Run, context: bytes, body: Json) -> None:
        run.status = "Running"
        images = [f"{run.login_server}/{name}" for name in run.names]
        seconds = body.get("timeout") or _DEFAULT_TIMEOUT_SECONDS
        try:
            async with asyncio.timeout(seconds):
                run.digest = await self._images.build(
                    context,
                    str(body["dockerFilePath"]),
                    images,
                    run.log.append,
                    arguments={one["name"]: one["value"] for one in body.get("arguments") or ()},
                )
        except asyncio.CancelledError:
            _end(run, "Canceled")
        except TimeoutError:
            _end(run, "Timeout", f"The build did not end within {seconds} s.")
        except backends.BackendError as error:
            _end(run, "Failed", error.message)
        except Exception as error:  # the client must see that the run ended
            log.exception("Build %s failed", run.number)
            _end(run, "Failed", f"{type(error).__name__}: {error}")
        else:
            _end(run, "Succeeded")

    def _get(self, call: Call) -> _Run:
        asked = call.parameters["runId"]
        run = self._runs.get((call.resource.parent.key, asked.lower()))
        if run is None:
            raise errors.ArmError(404, "RunNotFound", f"The run '{asked}' could not be found.")
        return run


def _check_request(body: Json) -> None:
    if body.get("type") != "DockerBuildRequest":
        raise errors.bad_request(
            f"Runs of type '{body.get('type')}' are not emulated; expected DockerBuildRequest.",
            target="type",
        )
    for name in ("dockerFilePath", "sourceLocation", "imageNames"):
        if not body.get(name):
            raise errors.bad_request(f"Property '{name}' is required.", target=name)


def _end(run: _Run, status: str, error: str | None = None) -> None:
    if run.status in _FINAL:
        return
    run.status, run.error, run.ended_at = status, error, dt.datetime.now(dt.UTC)
    if error:
        run.log.append(error)


def _render(run: _Run) -> Json:
    properties: Json = {
        "runId": run.number,
        "status": run.status,
        "lastUpdatedTime": _stamp(run.ended_at or run.created_at),
        "runType": "QuickBuild",
        "createTime": _stamp(run.created_at),
        "startTime": _stamp(run.created_at),
        "provisioningState": "Succeeded",
        "isArchiveEnabled": False,
        "platform": {"os": "linux", "architecture": "amd64"},
        "agentConfiguration": {"cpu": 2},
    }
    if run.ended_at:
        properties["finishTime"] = _stamp(run.ended_at)
    if run.error:
        properties["runErrorMessage"] = run.error
    if run.digest:
        properties["outputImages"] = [_image(run, name) for name in run.names]
    return {
        "id": str(run.registry.child("runs", run.number)),
        "name": run.number,
        "type": TYPE,
        "properties": properties,
    }


def _image(run: _Run, name: str) -> Json:
    repository, _, tag = name.partition(":")
    return {
        "registry": run.login_server,
        "repository": repository,
        "tag": tag or "latest",
        "digest": run.digest,
    }


def _log_blob(run: _Run) -> blobs.Blob:
    text = "".join(f"{line}\n" for line in run.log)
    headers = {"Content-Type": "text/plain; charset=utf-8"}
    if run.status in _FINAL:
        headers["x-ms-meta-complete"] = run.status.lower()
    return blobs.Blob(text.encode(), headers)


def _blob_name(registry: paths.ResourceId, path: str) -> str:
    return f"{registry.name.lower()}/{path}"


def _stamp(instant: dt.datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
