"""Charts fetched by helm from a repository over HTTPS, once, and never one for another."""

import functools
import hashlib
import http.server
import io
import ssl
import tarfile
import threading
from concurrent import futures

import pytest
import trustme
import yaml

from azrunbook import binaries, charts, errors


@pytest.fixture(scope="session")
def helm():
    return binaries.install("helm", "4.3.1").path


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.asked.append(self.path)
        super().do_GET()


@pytest.fixture
def make_repository(tmp_path):
    """Serve a repository with one chart, shop 1.2.3, whose description is the given one."""
    started = []

    def make(description):
        folder = tmp_path / f"repository-{len(started)}"
        folder.mkdir()
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "ca.pem")
        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Handler, directory=folder)
        )
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.asked, server.ca = [], folder / "ca.pem"
        server.url = f"https://127.0.0.1:{server.server_port}"
        _fill(folder, server.url, description)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        started.append((server, thread))
        return server

    yield make
    for server, thread in started:
        server.shutdown()
        thread.join()
        server.server_close()


def _fill(folder, url, description):
    about = {"apiVersion": "v2", "name": "shop", "version": "1.2.3", "description": description}
    with tarfile.open(folder / "shop-1.2.3.tgz", "w:gz") as archive:
        content = yaml.safe_dump(about).encode()
        entry = tarfile.TarInfo("shop/Chart.yaml")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    digest = hashlib.sha256((folder / "shop-1.2.3.tgz").read_bytes()).hexdigest()
    entry = {**about, "digest": digest, "urls": [f"{url}/shop-1.2.3.tgz"]}
    index = {"apiVersion": "v1", "entries": {"shop": [entry]}}
    (folder / "index.yaml").write_text(yaml.safe_dump(index))


def pull(server, cache, helm, version="1.2.3"):
    return charts.pull_chart(
        server.url, "shop", version, cache=cache, helm=helm, ca_bundle=server.ca
    )


def test_a_chart_is_fetched_once(make_repository, tmp_path, helm):
    """The second time it comes out of the cache."""
    server = make_repository("ours")
    first = pull(server, tmp_path / "cache", helm)
    asked = len(server.asked)
    assert pull(server, tmp_path / "cache", helm) == first
    assert len(server.asked) == asked > 0
    assert yaml.safe_load((first / "Chart.yaml").read_text())["description"] == "ours"


def test_two_repositories_never_share_a_chart(make_repository, tmp_path, helm):
    """The same name and version from another authority is another chart."""
    found = [pull(make_repository(words), tmp_path / "cache", helm) for words in ("ours", "theirs")]
    texts = [yaml.safe_load((one / "Chart.yaml").read_text())["description"] for one in found]
    assert texts == ["ours", "theirs"]


def test_both_regions_may_fetch_at_once(make_repository, tmp_path, helm):
    """The slower one finds the place taken and is content."""
    server = make_repository("ours")
    with futures.ThreadPoolExecutor() as pool:
        found = list(pool.map(lambda _: pull(server, tmp_path / "cache", helm), range(4)))
    assert len(set(found)) == 1
    assert [one.name for one in found[0].parent.iterdir()] == ["shop-1.2.3"]


def test_a_version_that_is_not_there_is_an_error_with_helms_words(make_repository, tmp_path, helm):
    """Nothing stays in the cache."""
    with pytest.raises(errors.CommandError, match=r"9\.9\.9"):
        pull(make_repository("ours"), tmp_path / "cache", helm, version="9.9.9")
    assert not list((tmp_path / "cache").rglob("Chart.yaml"))
