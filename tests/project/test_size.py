"""Small modules, short functions: the caps that keep the tree readable."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "azrunbook").rglob("*.py")) + sorted((ROOT / "app").rglob("*.py"))
MODULE_LINES = 400
FUNCTION_LINES = 50


def lines_of(function):
    """Without the docstring, which may be as long as it needs."""
    length = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(getattr(first, "value", None), ast.Constant):
        length -= first.end_lineno - first.lineno + 1
    return length


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_and_its_functions_keep_the_caps(path):
    """A module of 400 lines and a function of 50 at most; every module says its law."""
    text = path.read_text()
    tree = ast.parse(text)
    assert len(text.splitlines()) <= MODULE_LINES
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    long_ones = [one.name for one in functions if lines_of(one) > FUNCTION_LINES]
    assert long_ones == []
    assert not tree.body or ast.get_docstring(tree), "a module opens with its law and its reason"
