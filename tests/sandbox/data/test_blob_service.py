"""The Blob service through Azure's own client: contents, conditions, and who may do what."""

import dataclasses
import re
import time

import aiohttp
import pytest
from azure.core import MatchConditions, exceptions
from azure.core.credentials import AccessToken
from azure.storage.blob import BlobBlock, ContentSettings
from azure.storage.blob.aio import ContainerClient

from azrunbook.sandbox import tls
from azrunbook.sandbox.data import blob_service

ACCOUNT = blob_service.Account(
    name="stdemo",
    location="eastus",
    is_open_to_all_networks=False,
    allows_public_access=True,
    allows_shared_keys=False,
    containers={"static": "Blob", "inner": "None"},
)
STYLE = ContentSettings(content_type="text/css", cache_control="public, max-age=60")


class Token:
    """A credential with one token, whoever asks."""

    def __init__(self, text):
        self.text = text

    async def get_token(self, *scopes, **_options):
        assert scopes == ("https://storage.azure.com/.default",)
        return AccessToken(self.text, int(time.time()) + 600)

    async def close(self):
        pass


@pytest.fixture
async def door(tmp_path):
    """Open the service of an account; returns how to make clients and to ask without signing in."""
    authority = tls.Authority()
    (tmp_path / "ca.pem").write_bytes(authority.certificate_pem)
    account = ACCOUNT
    service = blob_service.BlobService(
        find_account=lambda name: account if name == account.name else None,
        check_token=lambda token: token == "good",
        is_down=lambda _location: False,
    )
    context = authority.server_context("127.0.0.1")
    ports = {
        private: await service.listen("127.0.0.1", 0, context, is_private=private)
        for private in (True, False)
    }
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=authority.client_context()))
    clients = []

    @dataclasses.dataclass
    class Door:
        def set(self, **changes):
            nonlocal account
            account = dataclasses.replace(account, **changes)

        def container(self, name="static", *, credential=None, private=True):
            client = ContainerClient(
                f"https://127.0.0.1:{ports[private]}/stdemo", name,
                credential=credential or Token("good"), retry_total=0,
                connection_verify=str(tmp_path / "ca.pem"), max_single_put_size=1000,
                max_block_size=1000, max_single_get_size=1000, max_chunk_get_size=1000,
            )  # fmt: skip
            clients.append(client)
            return client

        async def ask(self, path, method="GET", *, private=True, **headers):
            url = f"https://127.0.0.1:{ports[private]}{path}"
            async with session.request(method, url, headers=headers) as answer:
                text = await answer.text()
                code = re.search("<Code>(.*?)</Code>", text)
                return answer.status, code[1] if code else text, answer.headers

    yield Door()
    for client in clients:
        await client.close()
    await session.close()
    await service.close()


async def test_a_blob_is_put_read_and_deleted(door):
    """Whole or in part, with what its writer said of it; gone, it is not found."""
    blob = door.container().get_blob_client("a/style.css")
    put = await blob.upload_blob(b"body {}", content_settings=STYLE, metadata={"of": "demo"})
    found = await blob.get_blob_properties()
    assert (found.etag, found.size, found.metadata) == (put["etag"], 7, {"of": "demo"})
    assert found.content_settings.cache_control == "public, max-age=60"
    assert found.content_settings.content_type == "text/css"
    assert await (await blob.download_blob()).readall() == b"body {}"
    assert await (await blob.download_blob(offset=5, length=2)).readall() == b"{}"
    await blob.delete_blob()
    with pytest.raises(exceptions.ResourceNotFoundError) as refused:
        await blob.download_blob()
    assert refused.value.error_code == "BlobNotFound"


async def test_a_big_blob_is_sent_in_blocks_and_read_in_ranges(door):
    """As the client does above its limits; a list with a block that nobody sent is refused."""
    blob, content = door.container().get_blob_client("big"), bytes(range(256)) * 17
    await blob.upload_blob(content, content_settings=STYLE)
    assert (await blob.get_blob_properties()).content_settings.content_type == "text/css"
    assert await (await blob.download_blob()).readall() == content
    with pytest.raises(exceptions.HttpResponseError) as refused:
        await blob.commit_block_list([BlobBlock("never")])
    assert refused.value.error_code == "InvalidBlockList"


async def test_conditions_guard_reads_and_writes(door):
    """Nothing is overwritten unasked or over another's change; what is known is not sent again."""
    blob = door.container().get_blob_client("one")
    first = await blob.upload_blob(b"1")
    with pytest.raises(exceptions.ResourceExistsError):
        await blob.upload_blob(b"2")
    await blob.upload_blob(b"2", overwrite=True)
    stale = {"etag": first["etag"], "match_condition": MatchConditions.IfNotModified}
    with pytest.raises(exceptions.HttpResponseError) as refused:
        await blob.upload_blob(b"3", overwrite=True, **stale)
    assert refused.value.error_code == "ConditionNotMet"
    status, _, headers = await door.ask("/stdemo/static/one")
    assert status == 200
    again = await door.ask("/stdemo/static/one", **{"If-None-Match": headers["ETag"]})
    assert again[:2] == (304, "")
    assert (await door.ask("/stdemo/static/one", Range="bytes=9-"))[:2] == (416, "InvalidRange")


async def test_blobs_are_listed_in_pages(door):
    """In order, by prefix, folder by folder, and on from a marker."""
    container = door.container()
    for name in ("b/2", "a", "b/1", "c"):
        await container.upload_blob(name, b"x")
    pages = container.list_blobs(results_per_page=3).by_page()
    assert [[blob.name async for blob in page] async for page in pages] == [
        ["a", "b/1", "b/2"], ["c"],
    ]  # fmt: skip
    assert [blob.name async for blob in container.list_blobs(name_starts_with="b/")] == [
        "b/1", "b/2",
    ]  # fmt: skip
    assert [one.name async for one in container.walk_blobs()] == ["b/", "a", "c"]


@pytest.mark.parametrize(
    ("account", "path", "asked", "expected"),
    [
        ({}, "static/one", {}, (404, "BlobNotFound")),  # open to everybody, and empty
        ({}, "inner/one", {}, (404, "ResourceNotFound")),  # closed is as good as not there
        ({}, "static?restype=container&comp=list", {}, (404, "ResourceNotFound")),
        ({"allows_public_access": False}, "static/one", {}, (409, "PublicAccessNotPermitted")),
        ({}, "static/one", {"method": "PUT"}, (401, "NoAuthenticationInformation")),
        ({}, "static/one", {"Authorization": "SharedKey stdemo:x"},
         (403, "KeyBasedAuthenticationNotPermitted")),
        ({}, "static/one?sig=x", {}, (403, "KeyBasedAuthenticationNotPermitted")),
        ({"allows_shared_keys": True}, "static/one?sig=x", {}, (403, "AuthenticationFailed")),
        ({}, "static/one", {"Authorization": "Bearer bad"}, (401, "InvalidAuthenticationInfo")),
        ({}, "other/one", {"Authorization": "Bearer good"}, (404, "ContainerNotFound")),
        ({}, "static/one", {"private": False}, (403, "AuthorizationFailure")),
        ({"is_open_to_all_networks": True}, "static/one", {"private": False},
         (404, "BlobNotFound")),
    ],
)  # fmt: skip
async def test_who_may_not_is_refused_in_azure_s_words(door, account, path, asked, expected):
    """By network, by key, by token, by container, in this order."""
    door.set(**account)
    assert (await door.ask(f"/stdemo/{path}", **asked))[:2] == expected
