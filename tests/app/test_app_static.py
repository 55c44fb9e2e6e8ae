"""The page that a browser gets, and what it needs beside it."""

import hashlib
import pathlib
import re

from azrunbook.procedures import static_assets

ROOT = pathlib.Path(__file__).parents[2]


def test_a_browser_gets_a_page_with_its_style(client_for):
    """Whoever prefers HTML; the stylesheet's address is of its content, and good for ever."""
    client = client_for(app_version="1.2.3", region="east<us>")
    page = client.get("/", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (page.mimetype, page.headers["Vary"]) == ("text/html", "Accept")
    assert "hello-world 1.2.3 in east&lt;us&gt;" in page.text
    address = re.search(r'href="(/static/(.{12})/hello\.css)"', page.text)
    style = client.get(address[1])
    assert (style.status_code, style.mimetype) == (200, "text/css")
    assert hashlib.sha256(style.data).hexdigest().startswith(address[2])
    assert style.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert client.get("/", headers={"Accept": "*/*"}).is_json


def test_the_runbook_uploads_what_the_page_names(main):
    """Under the names that the application serves them by."""
    assert static_assets.list_files(ROOT) == main.list_static()
