"""Cells of the executed notebook on the page: their state, and every kind of output."""

import re

import nbformat
import pytest

from azrunbook.report import html

RUN = {
    "procedure": "01_x", "run": "01_x/t", "verdict": "failed", "reasons": ["<why>"],
    "environment": "dv", "target": "here", "apply": True, "parameters": {"a": 1},
    "started_at": "2026-01-02T03:04:05.678+00:00", "ended_at": "2026-01-02T03:05:05+00:00",
    "duration_seconds": 60.0, "overhead_seconds": 2.0, "checks": [], "metrics": [], "steps": [],
    "undone": [], "left_to_undo": [], "plan_hash": None, "plan_changes": {}, "cells": [],
    "identity": {}, "versions": {}, "git": None, "user": "u", "resumes": None, "previous": None,
    "journal": {"entries": 1, "head": "ab"},
}  # fmt: skip
SVG = '<svg xmlns="http://www.w3.org/2000/svg"/>'


def display(**data):
    data = {kind.replace("__", "/"): value for kind, value in data.items()}
    return nbformat.v4.new_output("display_data", data=data)


@pytest.fixture
def render(tmp_path):
    def write(*outputs, state="passed"):
        cell = nbformat.v4.new_code_cell("x = '<tag>'", outputs=list(outputs))
        cell.metadata["azrunbook"] = {"state": state, "seconds": 0.25}
        book = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_markdown_cell("# 01 — A title\n\nSome *words*."), cell]
        )
        nbformat.write(book, tmp_path / "01_x.ipynb")
        return html.write(RUN, tmp_path).read_text()

    return write


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        (display(**{"image/svg+xml": SVG}), r'<img alt="figure" src="data:image/svg\+xml;base64,'),
        (display(image__png="iVBORw=="), r'src="data:image/png;base64,iVBORw=="'),
        (display(text__html="<i>rich</i>", text__plain="plain"), r"<i>rich</i>"),
        (display(text__markdown="**bold**"), r"<strong>bold</strong>"),
        (display(text__plain="a < b"), r"<pre>a &lt; b</pre>"),
        (nbformat.v4.new_output("stream", text="a\x1b[31mred"), r'"ansi-red-fg">red'),
        (
            nbformat.v4.new_output("error", ename="E", evalue="v", traceback=["line <1>"]),
            r'class="output traceback"><pre>line &lt;1&gt;',
        ),
    ],
)
def test_every_kind_of_output_is_shown(render, output, shown):
    """Figures as data, HTML as it is, text escaped, colours kept."""
    assert re.search(shown, render(output))


@pytest.mark.parametrize("state", ["failed", "interrupted", "not_run", "left_out"])
def test_the_state_of_a_cell_is_said_in_words(render, state):
    """Colour alone says nothing to many readers."""
    page = render(state=state)
    assert f'class="cell c-{state}"' in page
    assert f">{state.replace('_', ' ')}</span>" in page


def test_title_prose_and_reasons(render):
    """The notebook's own title, its words rendered, the run's reasons escaped."""
    page = render()
    assert "<title>01 — A title: failed</title>" in page
    assert "<em>words</em>" in page
    assert "&lt;why&gt;" in page


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "-"), (0.02, "20 ms"), (0.44, "0.4 s"), (12.4, "12 s"), (185, "3 min 5 s"),
        (7260, "2 h 1 min"),
    ],
)  # fmt: skip
def test_durations_are_said_as_people_do(seconds, said):
    """No one reads 7260 seconds."""
    assert html.say_seconds(seconds) == said
