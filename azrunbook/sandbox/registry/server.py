"""The listener of all registries: the OCI distribution API behind Azure's tokens.

Which registry is meant says the host name a client asks for. One that came by address (docker
cannot be told where a name is) is told apart by its token, which is for one registry.
"""

import base64
import binascii
import functools
import re
import shutil
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from aiohttp import web

from azrunbook.sandbox.registry import content, tokens

_NAME = r"{repository:[a-z0-9]+(?:[._/-]+[a-z0-9]+)*}"
_HEADERS = {"Docker-Distribution-Api-Version": "registry/2.0"}
_CHUNK_BYTES = 1 << 20
_MANIFEST_BYTES = 4 << 20
Act = Callable[["Asked"], Awaitable[web.StreamResponse]]


class Directory(Protocol):
    """What the registry asks of the rest of the sandbox."""

    def has(self, registry: str) -> bool:
        """Whether there is a registry of this host name."""

    def list_actions(self, token: str) -> frozenset[str]:
        """What the holder of an Entra token may do: pull, push, delete; nothing: a bad token."""

    async def pushed(self, registry: str, name: str, manifest: content.Manifest) -> None:
        """Take note of ``repository:tag`` or ``repository@digest``, pushed just now."""


class Asked:
    """One authorized request: its registry's content, its repository, and itself."""

    def __init__(self, request: web.Request, grant: tokens.Grant, held: content.Content) -> None:
        self.request = request
        self.grant = grant
        self.held = held
        self.repository = request.match_info.get("repository", "")

    def __getitem__(self, name: str) -> str:
        return self.request.match_info[name]


class RegistryServer:
    """One HTTPS listener for every registry.

    Args:
        address: to listen on, at any free port.
        folder: where pushed blobs are kept; goes with the sandbox.
    """

    def __init__(
        self, *, address: str, ssl_context: ssl.SSLContext, folder: Path, directory: Directory
    ) -> None:
        self.port = 0
        self._address = address
        self._ssl_context = ssl_context
        self._folder = folder
        self._directory = directory
        self._tokens = tokens.Tokens()
        self._contents: dict[str, content.Content] = {}
        self._runner: web.AppRunner | None = None

    def get_content(self, registry: str) -> content.Content:
        """What a registry, by its host name, holds."""
        if registry not in self._contents:
            self._contents[registry] = content.Content(self._folder / registry)
        return self._contents[registry]

    def forget(self, registry: str) -> None:
        """Drop what a deleted registry held."""
        self._contents.pop(registry, None)
        shutil.rmtree(self._folder / registry, ignore_errors=True)

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address is taken.
        """
        shutil.rmtree(self._folder, ignore_errors=True)
        app = web.Application(client_max_size=_MANIFEST_BYTES, middlewares=[_explain])
        app.router.add_post("/oauth2/exchange", self._exchange)
        app.router.add_post("/oauth2/token", self._token)
        app.router.add_get("/oauth2/token", self._token)
        app.router.add_get("/v2/", self._guard("", _ping))
        app.router.add_get("/v2/_catalog", self._guard("catalog", _list_repositories))
        for method, path, action, act in _ROUTES:
            app.router.add_route(method, f"/v2/{_NAME}/{path}", self._guard(action, act))
        app.router.add_put(
            f"/v2/{_NAME}/manifests/{{reference}}", self._guard("push", self._put_manifest)
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._address, 0, ssl_context=self._ssl_context)
        await site.start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _exchange(self, request: web.Request) -> web.Response:
        """An Entra token for a refresh token."""
        form = await request.post()
        registry = str(form.get("service", ""))
        if form.get("grant_type") != "access_token" or not self._directory.has(registry):
            text = f"grant_type access_token, service a registry; not {registry!r}"
            raise content.RegistryError(400, "BAD_REQUEST", text)
        actions = self._directory.list_actions(str(form.get("access_token", "")))
        if not actions:
            raise content.RegistryError(401, "UNAUTHORIZED", "the access token is not valid")
        refresh = self._tokens.issue_refresh(registry, {*actions, "catalog"})
        return web.json_response({"refresh_token": refresh})

    async def _token(self, request: web.Request) -> web.Response:
        """A refresh token, or the same as a password, for an access token."""
        form = request.query if request.method == "GET" else await request.post()
        refresh = str(form.get("refresh_token") or form.get("password") or _read_basic(request))
        access = self._tokens.issue_access(refresh, str(form.get("scope", "")))
        return web.json_response({"access_token": access})

    def _guard(
        self, action: str, act: Act
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Let a request through whose token allows the action; challenge any other."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            try:
                grant = self._tokens.find(token if scheme == "Bearer" else "")
            except content.RegistryError:
                return _challenge(request, action)
            repository = request.match_info.get("repository", "")
            host = request.host.partition(":")[0]
            is_other = self._directory.has(host) and host != grant.registry
            if is_other or (action and not grant.allows(repository, action)):
                return _challenge(request, action)
            if not self._directory.has(grant.registry):
                raise content.RegistryError(404, "NAME_UNKNOWN", f"{grant.registry} is gone")
            return await act(Asked(request, grant, self.get_content(grant.registry)))

        return functools.wraps(act)(guarded)

    async def _put_manifest(self, asked: Asked) -> web.Response:
        body, reference = await asked.request.read(), asked["reference"]
        manifest = asked.held.put_manifest(
            asked.repository, reference, asked.request.content_type, body
        )
        mark = "@" if reference.startswith("sha256:") else ":"
        name = f"{asked.repository}{mark}{reference}"
        await self._directory.pushed(asked.grant.registry, name, manifest)
        location = f"/v2/{asked.repository}/manifests/{manifest.digest}"
        headers = {"Location": location, "Docker-Content-Digest": manifest.digest}
        return web.Response(status=201, headers=headers)


async def _ping(_: Asked) -> web.Response:
    return web.json_response({})


async def _list_repositories(asked: Asked) -> web.Response:
    return web.json_response({"repositories": asked.held.list_repositories()})


async def _list_tags(asked: Asked) -> web.Response:
    tags = asked.held.list_tags(asked.repository)
    if not tags:
        raise content.RegistryError(404, "NAME_UNKNOWN", f"no repository {asked.repository}")
    return web.json_response({"name": asked.repository, "tags": tags})


async def _get_manifest(asked: Asked) -> web.Response:
    found = asked.held.get_manifest(asked.repository, asked["reference"])
    headers = {"Docker-Content-Digest": found.digest, "Content-Type": found.media_type}
    if asked.request.method == "HEAD":
        return web.Response(headers=headers)
    if not found.content:
        text = (
            f"{asked.repository}@{found.digest} was built by the sandbox, without its base: only "
            "the sandbox's nodes can run it. Push an image to be able to pull it"
        )
        raise content.RegistryError(404, "MANIFEST_UNKNOWN", text)
    return web.Response(headers=headers, body=found.content)


async def _delete_manifest(asked: Asked) -> web.Response:
    asked.held.delete_manifest(asked.repository, asked["reference"])
    return web.Response(status=202)


async def _get_blob(asked: Asked) -> web.StreamResponse:
    path = asked.held.find_blob(asked["digest"])
    headers = {
        "Docker-Content-Digest": asked["digest"],
        "Content-Type": "application/octet-stream",
    }
    return web.FileResponse(path, headers=headers)


async def _begin_upload(asked: Asked) -> web.Response:
    query, base = asked.request.query, f"/v2/{asked.repository}/blobs"
    if asked.held.has_blob(digest := query.get("mount", "")):
        headers = {"Location": f"{base}/{digest}", "Docker-Content-Digest": digest}
        return web.Response(status=201, headers=headers)
    name = asked.held.begin_upload()
    if digest := query.get("digest", ""):
        await _receive(asked, name)
        return _finish(asked, name, digest)
    return _say_progress(asked, name)


async def _continue_upload(asked: Asked) -> web.Response:
    await _receive(asked, asked["upload"])
    return _say_progress(asked, asked["upload"])


async def _end_upload(asked: Asked) -> web.Response:
    await _receive(asked, asked["upload"])
    return _finish(asked, asked["upload"], asked.request.query.get("digest", ""))


async def _receive(asked: Asked, name: str) -> None:
    with asked.held.find_upload(name).open("ab") as file:
        async for chunk in asked.request.content.iter_chunked(_CHUNK_BYTES):
            file.write(chunk)


def _say_progress(asked: Asked, name: str) -> web.Response:
    size = asked.held.find_upload(name).stat().st_size
    headers = {
        "Location": f"/v2/{asked.repository}/blobs/uploads/{name}",
        "Range": f"0-{max(0, size - 1)}",
        "Docker-Upload-UUID": name,
    }
    return web.Response(status=202, headers=headers)


def _finish(asked: Asked, name: str, digest: str) -> web.Response:
    asked.held.finish_upload(name, digest)
    location = f"/v2/{asked.repository}/blobs/{digest}"
    headers = {"Location": location, "Docker-Content-Digest": digest}
    return web.Response(status=201, headers=headers)


_ROUTES: tuple[tuple[str, str, str, Act], ...] = (
    ("GET", "tags/list", "pull", _list_tags),
    ("GET", "manifests/{reference}", "pull", _get_manifest),
    ("HEAD", "manifests/{reference}", "pull", _get_manifest),
    ("DELETE", "manifests/{reference}", "delete", _delete_manifest),
    ("GET", "blobs/{digest}", "pull", _get_blob),
    ("HEAD", "blobs/{digest}", "pull", _get_blob),
    ("POST", "blobs/uploads/", "push", _begin_upload),
    ("PATCH", "blobs/uploads/{upload}", "push", _continue_upload),
    ("PUT", "blobs/uploads/{upload}", "push", _end_upload),
)


def _challenge(request: web.Request, action: str) -> web.Response:
    realm = f'Bearer realm="https://{request.host}/oauth2/token",service="{request.host}"'
    repository = request.match_info.get("repository", "")
    scope = f',scope="repository:{repository}:{action}"' if repository else ""
    headers = {"WWW-Authenticate": f"{realm}{scope}"}
    text = "authentication required, visit https://aka.ms/acr/authorization for more information."
    return _refuse(content.RegistryError(401, "UNAUTHORIZED", text), headers)


def _refuse(error: content.RegistryError, headers: dict[str, str] | None = None) -> web.Response:
    body = {"errors": [{"code": error.code, "message": str(error)}]}
    return web.json_response(body, status=error.status, headers={**_HEADERS, **(headers or {})})


@web.middleware
async def _explain(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        answer = await handler(request)
    except content.RegistryError as error:
        return _refuse(error)
    answer.headers.update(_HEADERS)
    return answer


def _read_basic(request: web.Request) -> str:
    """The password of the user of zeros, or nothing."""
    found = re.fullmatch(r"Basic (\S+)", request.headers.get("Authorization", ""))
    try:
        text = base64.b64decode(found[1]).decode() if found else ""
    except (binascii.Error, UnicodeDecodeError):
        return ""
    user, _, password = text.partition(":")
    return password if user == tokens.USER else ""
