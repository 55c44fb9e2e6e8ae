"""The Blob service of every storage account: requests, who may make them, answers as Azure's.

Two doors: the private one is an address that only networks with a private endpoint know a name for
(:mod:`.names`), the public one is where everybody else arrives. Through the public door an account
without public access refuses. Writing takes a bearer token for storage; reading one, or a container
that is open to everybody. Shared keys and signatures are refused, as by an account that does not
allow them. An account is named by the host, or as in emulators, with an address for a host, by the
first part of the path.

Not emulated: containers made or listed here (ARM makes them), page and append blobs, leases,
snapshots, versions, tags, copying, setting headers of a blob that exists.
"""

import datetime as dt
import ssl
import urllib.parse
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email import utils
from http import HTTPStatus
from xml.etree import ElementTree as ET

from aiohttp import web

from azrunbook.sandbox.data import blobs

SUFFIX = ".blob.core.windows.net"
_SERVER = "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0"
_VERSION = "2025-11-05"
_MAX_BYTES = 256 << 20
_PAGE = 5000
# What a writer may say of a blob's readers' headers, and what they get.
_PASSED_ON = {
    "x-ms-blob-content-type": "Content-Type",
    "x-ms-blob-cache-control": "Cache-Control",
    "x-ms-blob-content-encoding": "Content-Encoding",
    "x-ms-blob-content-language": "Content-Language",
    "x-ms-blob-content-disposition": "Content-Disposition",
}


@dataclass(frozen=True)
class Account:
    """A storage account as ARM has it.

    Attributes:
        containers: who may read without signing in, by name: None, Blob or Container.
    """

    name: str
    location: str
    is_open_to_all_networks: bool
    allows_public_access: bool
    allows_shared_keys: bool
    containers: Mapping[str, str]


@dataclass(frozen=True)
class _Call:
    request: web.BaseRequest
    account: Account
    container: str
    name: str

    @property
    def place(self) -> blobs.Place:
        return (self.account.name, self.container)

    @property
    def headers(self) -> Mapping[str, str]:
        return self.request.headers

    def ask(self, parameter: str) -> str:
        return str(self.request.query.get(parameter, ""))


class BlobService:
    """Answers for all accounts; ``contents`` is what they hold."""

    def __init__(
        self,
        *,
        find_account: Callable[[str], Account | None],
        check_token: Callable[[str], bool],
        is_down: Callable[[str], bool],
    ) -> None:
        """Take what is asked elsewhere.

        Args:
            find_account: an account by its name.
            check_token: whether a bearer token is one for storage, of somebody with a role there.
            is_down: whether a region, by its location, is out.
        """
        self.contents = blobs.Blobs()
        self._find_account = find_account
        self._check_token = check_token
        self._is_down = is_down
        self._runners: list[web.ServerRunner] = []

    async def listen(
        self, address: str, port: int, context: ssl.SSLContext, *, is_private: bool
    ) -> int:
        """Open a door; returns its port.

        Raises:
            OSError: the port cannot be had.
        """

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            return await self._handle(request, is_private=is_private)

        runner = web.ServerRunner(web.Server(handle, access_log=None), shutdown_timeout=1)
        await runner.setup()
        self._runners.append(runner)
        await web.TCPSite(runner, address, port, ssl_context=context).start()
        return int(runner.addresses[0][1])

    async def close(self) -> None:
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()

    async def _handle(self, request: web.BaseRequest, *, is_private: bool) -> web.StreamResponse:
        try:
            call = self._find(request)
            self._check(call, is_private=is_private)
            answer = await self._answer(call)
        except blobs.BlobError as error:
            answer = _refuse(request, error)
        answer.headers["x-ms-request-id"] = str(uuid.uuid4())
        answer.headers["x-ms-version"] = request.headers.get("x-ms-version", _VERSION)
        answer.headers["Server"] = _SERVER
        return answer

    def _find(self, request: web.BaseRequest) -> _Call:
        host = request.host.partition(":")[0].lower()
        path = urllib.parse.unquote(request.rel_url.raw_path).lstrip("/")
        name = host.partition(".")[0]
        if not host.endswith(SUFFIX):
            name, _, path = path.partition("/")
        account = self._find_account(name)
        if account is None or self._is_down(account.location):
            if request.transport is not None:
                request.transport.abort()
            raise blobs.BlobError(503, "ServerBusy", "The server is busy.")
        container, _, blob = path.partition("/")
        return _Call(request, account, container, blob)

    def _check(self, call: _Call, *, is_private: bool) -> None:
        account, signed = call.account, call.headers.get("Authorization", "")
        if not is_private and not account.is_open_to_all_networks:
            raise blobs.BlobError(
                403, "AuthorizationFailure",
                "This request is not authorized to perform this operation.",
            )  # fmt: skip
        if signed.startswith("Bearer "):
            if not self._check_token(signed.removeprefix("Bearer ")):
                raise blobs.BlobError(
                    401, "InvalidAuthenticationInfo",
                    "Server failed to authenticate the request. Please refer to the information "
                    "in the www-authenticate header.",
                )  # fmt: skip
        elif signed or "sig" in call.request.query:
            raise _refuse_key(account)
        else:
            _check_anonymous(call)
        if call.container and call.container not in account.containers:
            raise blobs.BlobError(
                404, "ContainerNotFound", "The specified container does not exist."
            )

    async def _answer(self, call: _Call) -> web.Response:
        method = call.request.method.replace("HEAD", "GET")
        what = (method, call.ask("restype"), call.ask("comp"), bool(call.name))
        table: dict[tuple[str, str, str, bool], Callable[[_Call], Awaitable[web.Response]]] = {
            ("GET", "container", "list", False): self._list,
            ("GET", "container", "", False): _show_container,
            ("GET", "", "", True): self._read,
            ("PUT", "", "", True): self._put,
            ("PUT", "", "block", True): self._stage,
            ("PUT", "", "blocklist", True): self._join,
            ("DELETE", "", "", True): self._delete,
        }
        if what not in table:
            raise blobs.BlobError(
                400, "NotEmulated",
                f"{method} with restype={what[1]} and comp={what[2]} is not emulated: add it in "
                "azrunbook/sandbox/data/blob_service.py.",
            )  # fmt: skip
        return await table[what](call)

    async def _list(self, call: _Call) -> web.Response:
        prefix, delimiter = call.ask("prefix"), call.ask("delimiter")
        limit = min(int(call.ask("maxresults") or _PAGE), _PAGE)
        page = self.contents.list(
            call.place, prefix=prefix, delimiter=delimiter, marker=call.ask("marker"), limit=limit
        )
        root = ET.Element("EnumerationResults", ContainerName=call.container)
        for name, value in (("Prefix", prefix), ("Delimiter", delimiter)):
            if value:
                ET.SubElement(root, name).text = value
        ET.SubElement(root, "MaxResults").text = str(limit)
        listed = ET.SubElement(root, "Blobs")
        for name in page.names:
            _describe(listed, name, self.contents.get(call.place, name))
        for name in page.prefixes:
            ET.SubElement(ET.SubElement(listed, "BlobPrefix"), "Name").text = name
        ET.SubElement(root, "NextMarker").text = page.next_marker
        return web.Response(body=_render(root), content_type="application/xml")

    async def _read(self, call: _Call) -> web.Response:
        blob = self.contents.get(call.place, call.name)
        blobs.check_read(blob, call.headers)
        wanted = call.headers.get("x-ms-range") or call.headers.get("Range")
        span = blobs.find_range(wanted, len(blob.content))
        headers = {**blob.headers, **_show(blob), "Accept-Ranges": "bytes"}
        if call.request.method == "HEAD":
            headers |= {"Content-Length": str(len(blob.content)), "Content-MD5": blob.digest}
            return web.Response(headers=headers)
        if span is None:
            return web.Response(body=blob.content, headers={**headers, "Content-MD5": blob.digest})
        first, last = span
        headers["Content-Range"] = f"bytes {first}-{last}/{len(blob.content)}"
        part = blob.content[first : last + 1]
        return web.Response(status=HTTPStatus.PARTIAL_CONTENT, body=part, headers=headers)

    async def _put(self, call: _Call) -> web.Response:
        kind = call.headers.get("x-ms-blob-type")
        if kind != "BlockBlob":
            raise blobs.BlobError(
                400, "InvalidHeaderValue" if kind else "MissingRequiredHeader",
                f"x-ms-blob-type is {kind}: expected BlockBlob, the only type that is emulated.",
            )  # fmt: skip
        content = await _receive(call.request)
        self._check_write(call)
        headers = _list_headers(call.headers)
        headers.setdefault("Content-Type", call.request.headers.get("Content-Type", _BYTES))
        blob = self.contents.put(call.place, call.name, content, headers, _now())
        return _created({**_state(blob), "Content-MD5": blob.digest})

    async def _stage(self, call: _Call) -> web.Response:
        content = await _receive(call.request)
        self.contents.stage(call.place, call.name, call.ask("blockid"), content)
        return _created({})

    async def _join(self, call: _Call) -> web.Response:
        body = await _receive(call.request)
        try:
            listed = [str(one.text) for one in ET.fromstring(body)]  # noqa: S314 - of a test's own client
        except ET.ParseError as error:
            raise blobs.BlobError(
                400, "InvalidXmlDocument", "XML specified is not syntactically valid."
            ) from error
        self._check_write(call)
        headers = {"Content-Type": _BYTES, **_list_headers(call.headers)}
        blob = self.contents.join(call.place, call.name, listed, headers, _now())
        return _created(_state(blob))

    def _check_write(self, call: _Call) -> None:
        blobs.check_write(self.contents.find(call.place, call.name), call.headers)

    async def _delete(self, call: _Call) -> web.Response:
        blobs.check_write(self.contents.get(call.place, call.name), call.headers)
        self.contents.delete(call.place, call.name)
        return web.Response(status=HTTPStatus.ACCEPTED)


_BYTES = "application/octet-stream"


def _check_anonymous(call: _Call) -> None:
    """Let those who do not sign in read what is open to them, and nothing else."""
    if call.request.method not in {"GET", "HEAD"}:
        raise blobs.BlobError(
            401, "NoAuthenticationInformation",
            "Server failed to authenticate the request. Please refer to the information in the "
            "www-authenticate header.",
        )  # fmt: skip
    if not call.account.allows_public_access:
        raise blobs.BlobError(
            409, "PublicAccessNotPermitted",
            "Public access is not permitted on this storage account.",
        )  # fmt: skip
    access = call.account.containers.get(call.container, "None")
    if access != "Container" and not (access == "Blob" and call.name):
        raise blobs.BlobError(404, "ResourceNotFound", "The specified resource does not exist.")


def _refuse_key(account: Account) -> blobs.BlobError:
    if not account.allows_shared_keys:
        return blobs.BlobError(
            403, "KeyBasedAuthenticationNotPermitted",
            "Key based authentication is not permitted on this storage account.",
        )  # fmt: skip
    return blobs.BlobError(
        403, "AuthenticationFailed",
        "Server failed to authenticate the request. Make sure the value of Authorization header is "
        "formed correctly including the signature.",
    )  # fmt: skip


def _refuse(request: web.BaseRequest, error: blobs.BlobError) -> web.Response:
    headers = {"x-ms-error-code": error.code}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer resource_id=https://storage.azure.com"
    if request.method == "HEAD" or error.status == HTTPStatus.NOT_MODIFIED:
        return web.Response(status=error.status, headers=headers)
    root = ET.Element("Error")
    ET.SubElement(root, "Code").text = error.code
    ET.SubElement(root, "Message").text = error.message
    return web.Response(
        status=error.status, body=_render(root), headers=headers, content_type="application/xml"
    )


async def _show_container(_call: _Call) -> web.Response:
    return web.Response(headers={"x-ms-has-immutability-policy": "false"})


async def _receive(request: web.BaseRequest) -> bytes:
    content = bytearray()
    async for chunk in request.content.iter_any():
        content += chunk
        if len(content) > _MAX_BYTES:
            raise blobs.BlobError(
                413, "RequestBodyTooLarge",
                "The request body is too large and exceeds the maximum permissible limit.",
            )  # fmt: skip
    return bytes(content)


def _list_headers(sent: Mapping[str, str]) -> dict[str, str]:
    """What a blob's readers get: its own headers and its metadata."""
    own = {to: sent[given] for given, to in _PASSED_ON.items() if sent.get(given)}
    metadata = {
        name: value for name, value in sent.items() if name.lower().startswith("x-ms-meta-")
    }
    return {**own, **metadata}


def _state(blob: blobs.Blob) -> dict[str, str]:
    return {"ETag": blob.etag, "Last-Modified": utils.format_datetime(blob.modified, usegmt=True)}


def _show(blob: blobs.Blob) -> dict[str, str]:
    return {
        **_state(blob),
        "x-ms-blob-type": "BlockBlob",
        "x-ms-creation-time": utils.format_datetime(blob.created, usegmt=True),
        "x-ms-lease-status": "unlocked",
        "x-ms-lease-state": "available",
        "x-ms-server-encrypted": "true",
    }


def _created(headers: Mapping[str, str]) -> web.Response:
    encrypted = {"x-ms-request-server-encrypted": "true"}
    return web.Response(status=HTTPStatus.CREATED, headers={**headers, **encrypted})


def _describe(listed: ET.Element, name: str, blob: blobs.Blob) -> None:
    one = ET.SubElement(listed, "Blob")
    ET.SubElement(one, "Name").text = name
    properties = ET.SubElement(one, "Properties")
    shown = {
        "Creation-Time": utils.format_datetime(blob.created, usegmt=True),
        "Last-Modified": utils.format_datetime(blob.modified, usegmt=True),
        "Etag": blob.etag.strip('"'),
        "Content-Length": str(len(blob.content)),
        "Content-Type": blob.headers.get("Content-Type", ""),
        "Content-MD5": blob.digest,
        "Cache-Control": blob.headers.get("Cache-Control", ""),
        "BlobType": "BlockBlob",
        "AccessTier": "Hot",
        "LeaseStatus": "unlocked",
        "LeaseState": "available",
        "ServerEncrypted": "true",
    }
    for key, value in shown.items():
        ET.SubElement(properties, key).text = value


def _render(root: ET.Element) -> bytes:
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>{text}'.encode()


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
