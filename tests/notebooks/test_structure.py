"""The rules every master notebook keeps, checked on its cells."""

import ast
import itertools
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MASTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))
HEADINGS = [
    "Parameters", "Connect", "Preflight", "Observe", "Plan", "Act", "Verify", "Undo", "Result",
]  # fmt: skip
PARAMETER = re.compile(r"^\w+: (str|int|float|bool) = .+  # \S.*$")


def cells_of(path):
    return json.loads(path.read_text())["cells"]


def code_of(path):
    return [cell for cell in cells_of(path) if cell["cell_type"] == "code"]


def source(cell):
    return "".join(cell["source"])


@pytest.fixture(params=MASTERS, ids=lambda path: path.stem)
def master(request):
    return request.param


def test_there_are_masters():
    """The rules below mean nothing if no notebook is found."""
    assert len(MASTERS) >= 6


def test_name_is_number_verb_object(master):
    """The name tells the reading order and what it does; an object where there is one only."""
    assert re.fullmatch(r"\d\d_[a-z]+(_[a-z]+)*", master.stem)


def test_sections_stand_in_the_fixed_order(master):
    """Who has read one notebook finds everything in all of them."""
    text = [source(cell) for cell in cells_of(master) if cell["cell_type"] == "markdown"]
    found = [line[3:] for cell in text for line in cell.splitlines() if line.startswith("## ")]
    assert found == HEADINGS
    assert text[0].startswith(f"# {master.stem[:2]} — ")


def test_head_tells_when_impact_duration_and_way_back(master):
    """The first cell answers what an operator asks before running it."""
    head = source(cells_of(master)[0])
    for row in ("when to use", "impact", "duration", "reversible by"):
        assert f"**{row}**" in head


def test_code_cells_are_short_and_plain(master):
    """At most six lines, no definitions, no shell, imports in the first cell only.

    The parameters are a table, a line each, and may be eight.
    """
    banned = (ast.FunctionDef, ast.ClassDef, ast.Try, ast.While, ast.Lambda)
    for number, cell in enumerate(code_of(master)):
        text = source(cell)
        is_table = "parameters" in cell["metadata"].get("tags", [])
        assert len(text.splitlines()) <= (8 if is_table else 6), text
        assert not text.startswith(("!", "%")), text
        nodes = list(ast.walk(ast.parse(text)))
        assert not any(isinstance(node, banned) for node in nodes), text
        if number:
            assert not any(isinstance(node, ast.Import | ast.ImportFrom) for node in nodes), text


def test_every_code_cell_but_the_imports_has_its_words_before_it(master):
    """The expectation stands before the evidence."""
    cells = cells_of(master)
    for before, cell in itertools.pairwise(cells[1:]):
        if cell["cell_type"] == "code" and "verify" not in cell["metadata"].get("tags", []):
            assert before["cell_type"] == "markdown", source(cell)


def test_parameters_are_typed_literals_with_a_meaning(master):
    """One cell, one line each: name, type, default, and what it means."""
    tagged = [c for c in code_of(master) if "parameters" in c["metadata"].get("tags", [])]
    assert len(tagged) == 1
    lines = source(tagged[0]).splitlines()
    assert all(PARAMETER.match(line) for line in lines), lines
    for node in ast.parse(source(tagged[0])).body:
        ast.literal_eval(node.value)


def test_opening_and_running_is_safe(master):
    """Nothing is applied unless asked for."""
    assert any(line.startswith("apply: bool = False ") for line in
               "\n".join(map(source, code_of(master))).splitlines())  # fmt: skip


def test_masters_carry_no_outputs(master):
    """Masters are instructions; evidence lives in reports."""
    for cell in code_of(master):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None


def test_what_an_audit_checks_is_tagged(master):
    """A headless dry run leaves out what follows the plan, but for these cells."""
    for cell in code_of(master):
        if "run.audit(" in source(cell):
            assert "audit" in cell["metadata"]["tags"]


@pytest.mark.parametrize("tag", ["preflight", "plan", "act", "verify", "result"])
def test_sections_are_tagged(master, tag):
    """The runner and the report find the sections by tag."""
    assert any(tag in cell["metadata"].get("tags", []) for cell in code_of(master))
