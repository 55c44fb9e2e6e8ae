"""Parameters: read from the cell, checked before anything starts."""

import json
from pathlib import Path

import pytest

from azrunbook import errors
from azrunbook.notebooks import parameters

CELL = """env: str = "dv"  # environment {dv, staging, prod}
apply: bool = False  # False: stop after the plan
rate: int = 20  # requests a second [1..200]
share: float = 0.5  # of the traffic [0.1..]
version: str = ""  # empty: the estate's"""


def write(folder, source, *, tags=("parameters",), cells=1):
    cell = {"cell_type": "code", "metadata": {"tags": list(tags)}, "source": source}
    path = folder / "01_x.ipynb"
    path.write_text(json.dumps({"cells": [cell] * cells}))
    return path


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ({"apply": "true"}, True),
        ({"apply": "No"}, False),
        ({"apply": True}, True),
        ({"rate": "200"}, 200),
        ({"rate": 1}, 1),
        ({"share": "0.1"}, 0.1),
        ({"share": 7}, 7.0),
        ({"version": "1.0"}, "1.0"),
        ({"version": "2026-01-01"}, "2026-01-01"),
        ({"env": "prod"}, "prod"),
    ],
)
def test_text_becomes_a_value_of_the_declared_type(tmp_path, given, value):
    """What a command line passes as text arrives in the notebook with its type."""
    name = next(iter(given))
    found = parameters.check(write(tmp_path, CELL), given)[name]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"aply": "true"}, "no parameter aply: expected one of env, apply, rate"),
        ({"apply": "maybe"}, "expected true or false"),
        ({"apply": 1}, "expected true or false"),
        ({"rate": "seven"}, "expected a whole number"),
        ({"rate": "2.5"}, "expected a whole number"),
        ({"rate": True}, "expected a whole number"),
        ({"rate": "0"}, "at least 1"),
        ({"rate": "201"}, "at most 200"),
        ({"share": "0"}, "at least 0.1"),
        ({"share": "much"}, "expected a number"),
        ({"env": "test"}, "one of dv, staging, prod"),
        ({"version": 3}, "expected text"),
        ({"client_secret": "x"}, "parameters are recorded, secrets are not"),
        ({"share": "nan"}, "expected a number"),
        ({"rate": "[1]"}, "expected a whole number"),
    ],
)
def test_a_wrong_parameter_is_refused_with_an_example(tmp_path, given, message):
    """Unknown names, wrong types, values out of range and secrets are errors, never warnings."""
    with pytest.raises(errors.ParameterError, match=message.replace("[", r"\[")):
        parameters.check(write(tmp_path, CELL), given)


def test_defaults_apply_to_what_the_notebook_has(tmp_path):
    """Environment and target of the command line go to the parameters of that name only."""
    found = parameters.check(write(tmp_path, CELL), {}, defaults={"env": "prod", "target": "azure"})
    assert found == {"env": "prod", "apply": False, "rate": 20, "share": 0.5, "version": ""}


@pytest.mark.parametrize("source", ["rate = 20", "rate: int", "rate: list = []", "import os"])
def test_a_parameters_cell_of_another_form_is_refused(tmp_path, source):
    """Every line declares one typed literal; anything else names the line and an example."""
    with pytest.raises(errors.ParameterError, match="cell tagged parameters, line 1"):
        parameters.read(write(tmp_path, source))


@pytest.mark.parametrize(("tags", "cells"), [((), 1), (("parameters",), 2)])
def test_there_is_exactly_one_parameters_cell(tmp_path, tags, cells):
    """None or two of them would leave open what the notebook takes."""
    with pytest.raises(errors.ParameterError, match="expected exactly one"):
        parameters.read(write(tmp_path, CELL, tags=tags, cells=cells))


def test_the_masters_of_this_project_can_be_read():
    """Every notebook of the set has env, target and apply, and is safe by default."""
    masters = sorted((Path(__file__).parents[2] / "notebooks").glob("[0-9]*.ipynb"))
    assert masters
    for master in masters:
        assert parameters.check(master, {})["apply"] is False
        assert {"env", "target"} <= parameters.read(master).keys()
