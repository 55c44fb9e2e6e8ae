"""``azrunbook demo``: all of it, as a stranger sees it; and stopped in the middle."""

import os
import re
import signal
import sys
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(700)]

PROCEDURES = (
    "00_start_here", "01_provision_estate", "02_roll_out_ingress", "03_release_app",
    "04_upgrade_and_roll_back_app", "05_scale", "06_fail_over_region",
    "07_fail_back_region", "08_audit_drift", "08_audit_drift", "09_tear_down_estate",
)  # fmt: skip


class Links(HTMLParser):
    """Collects what a page points to, and the names that can be pointed to in it."""

    def __init__(self, page):
        super().__init__()
        self.found, self.names = [], set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, _tag, attrs):
        given = dict(attrs)
        self.found += [given[name] for name in ("href", "src") if given.get(name)]
        self.names |= {given[name] for name in ("id", "name") if given.get(name)}


def find_broken(page):
    """Links of a page that lead nowhere; only what is inside the reports is looked at."""
    links, broken = Links(page), []
    for link in links.found:
        parts = urlsplit(link)
        if parts.scheme in {"http", "https", "data", "mailto"}:
            continue
        target = page.parent / unquote(parts.path) if parts.path else page
        if not target.exists():
            broken.append(link)
        elif parts.fragment and target.suffix == ".html":
            names = links.names if target == page else Links(target).names
            broken += [] if {parts.fragment, unquote(parts.fragment)} & names else [link]
    return broken


def assert_gone(shell):
    """Nothing runs, and no file says that something does."""
    shell.wait_until_alone(sandbox=True)
    assert list(shell.home.rglob("connection.json")) == []


def test_the_demo_passes_and_leaves_pages_whose_links_resolve(shell):
    """Exit 0, passed verdicts only in a table, an index and pages without a dead link.

    The first audit finds nothing, the second what a colleague changed, who it was, and heals it.
    Reports are shown to others: they name no folder of this machine.
    """
    done = shell.finish(shell.start("demo"), seconds=600)
    assert done.code == 0, done.said
    rows = [line.split() for line in done.output.splitlines() if re.match(r" *\d\d_\w+ ", line)]
    assert [row[:2] for row in rows] == [[name, "passed"] for name in PROCEDURES]
    index = shell.reports / "index.html"
    assert str(index) in done.output.splitlines()
    pages = [index, *shell.reports.glob("*/*/*.html")]
    assert len(pages) == 1 + len(PROCEDURES)
    assert {page.name: find_broken(page) for page in pages} == {page.name: [] for page in pages}
    assert [shell.run("verify", name).code for name in PROCEDURES] == [0] * len(PROCEDURES)
    found = [
        [row["by"] for entry in shell.read("08_audit_drift", run)
         if entry.kind == "observation" for row in entry.data["rows"]]
        for run in (0, 1)
    ]  # fmt: skip
    assert (found[0], [by.partition(" ")[0] for by in found[1]]) == (
        [], ["application", "kubectl-scale"],
    )  # fmt: skip
    # Every machine has the system's own.
    own = {str(shell.home), sys.prefix, sys.base_prefix} - {"/usr", "/usr/local"}
    places = [os.fsencode(one) for one in own]
    files = [one for one in shell.reports.rglob("*") if one.is_file()]
    assert [one for one in files if any(place in one.read_bytes() for place in places)] == []
    assert_gone(shell)


def test_ctrl_c_in_the_demo_leaves_nothing_running(shell):
    """Stopped while Traefik is installed: helm, Traefik, nodes and sandbox end; exit 1."""
    process = shell.start("demo")
    shell.wait_for_entry("02_roll_out_ingress", "step_started", run=1, step="release traefik")
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    done = shell.finish(process)
    assert (done.code, shell.result("02_roll_out_ingress")["verdict"]) == (1, "undone"), done.said
    assert shell.count_runs("03_release_app") == 0
    assert_gone(shell)
