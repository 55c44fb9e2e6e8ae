"""The chart repository, asked by the real helm."""

import asyncio
import tarfile

import aiohttp
import pytest
import yaml

from azrunbook import binaries
from azrunbook.sandbox import charts


@pytest.fixture
async def repository(authority):
    served = charts.ChartRepository(
        address="127.0.0.1", port=0, ssl_context=authority.server_context("127.0.0.1")
    )
    await served.start()
    yield served
    await served.stop()


@pytest.fixture
def helm(authority, repository, tmp_path):
    """Run helm against the repository, with a home of its own."""
    authority_file = tmp_path / "ca.pem"
    authority_file.write_bytes(authority.certificate_pem)

    async def run(*arguments):
        process = await asyncio.create_subprocess_exec(
            binaries.require("helm").path,
            *arguments,
            *("--repo", repository.url, "--ca-file", authority_file),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"HOME": str(tmp_path)},
        )
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        return out.decode()

    return run


async def test_helm_finds_the_sandbox_s_chart_by_the_official_version(helm):
    """41.3.0 is answered by 41.3.0+sandbox: build metadata does not count."""
    shown = await helm("show", "chart", "traefik", "--version", "41.3.0")
    metadata = yaml.safe_load(shown[shown.index("apiVersion") :])
    assert (metadata["version"], metadata["appVersion"]) == ("41.3.0+sandbox", "v3.7.15")


async def test_helm_renders_from_the_repository(helm):
    """What is pulled is a whole chart."""
    rendered = await helm("template", "traefik", "traefik", "--version", "41.3.0")
    kinds = [one["kind"] for one in yaml.safe_load_all(rendered) if one]
    assert {"Deployment", "Service", "IngressClass"} <= set(kinds)


async def test_helm_pulls_an_archive_that_fits_its_digest(helm, tmp_path):
    """The archive holds one folder named after the chart, its templates in it."""
    await helm("pull", "traefik", "--version", "41.3.0", "--destination", tmp_path)
    with tarfile.open(tmp_path / "traefik-41.3.0+sandbox.tgz") as archive:
        names = archive.getnames()
    assert {"traefik/Chart.yaml", "traefik/templates/NOTES.txt"} <= set(names)
    assert {name.split("/")[0] for name in names} == {"traefik"}


async def test_what_is_not_there_is_404(authority, repository):
    """An unknown path says that it is not in this repository."""
    async with aiohttp.ClientSession() as client:
        answer = await client.get(
            f"{repository.url}/nginx-1.0.0.tgz", ssl=authority.client_context()
        )
        assert answer.status == 404
        assert "not in this chart repository" in await answer.text()
