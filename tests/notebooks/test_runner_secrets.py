"""A planted secret is found nowhere under reports/, whatever a notebook does with it."""

import base64

import pytest
from miniature_project import default_cells

CANARY = "canary-7f3a+Zq/91=="
LEAKS = {
    "output": "print(f.CANARY)",
    "split output": "import sys\nfor c in f.CANARY: sys.stdout.write(c); sys.stdout.flush()",
    "result": "f.CANARY",
    "error": "raise RuntimeError(f.CANARY)",
    "traceback": "def g(value):\n    raise RuntimeError(value)\ng(f.CANARY)",
    "log": "import logging\nlogging.basicConfig()\nlogging.warning('with %s', f.CANARY)",
    "encoded": "import base64\nbase64.b64encode(('user:' + f.CANARY).encode()).decode()",
    "html": "from IPython.display import HTML\nHTML(f'<b>{f.CANARY}</b>')",
    "metric": "run.observe('secret', [{'value': f.CANARY}])",
    "child": "import subprocess\nsubprocess.run(['sh', '-c', f'echo {f.CANARY!r} >&2'])",
    "outside": "import os\nos.write(2, f.CANARY.encode()); os.write(1, f.CANARY.encode())",
}


def find_leaks(project):
    needles = [CANARY.encode(), base64.b64encode(CANARY.encode())[:-4], CANARY[:13].encode()]
    return [
        path.name
        for path in (project.root / "reports").rglob("*")
        if path.is_file() and any(needle in path.read_bytes() for needle in needles)
    ]


def test_a_registered_secret_is_nowhere(project):
    """Printed, raised, logged, encoded, displayed, recorded: not in any file of the reports."""
    harmless = [code for name, code in LEAKS.items() if name not in {"error", "traceback"}]
    cells = default_cells()
    cells[2:2] = ["f.secrets.register(f.CANARY)", *harmless]
    project.write(cells)
    code, said = project.run("apply=true")
    assert code == 0, said
    assert find_leaks(project) == []
    assert "***" in (project.folders()[0] / "01_make_files.html").read_text()


@pytest.mark.parametrize("leak", ["error", "traceback"])
def test_a_secret_in_an_error_is_nowhere(project, leak):
    """Messages and source lines of tracebacks are scrubbed, and so are reasons and the console."""
    project.write([*default_cells()[:2], "f.secrets.register(f.CANARY)", LEAKS[leak]])
    code, said = project.run("apply=true")
    assert code == 1
    assert find_leaks(project) == []
    assert CANARY not in said


def test_a_secret_passed_as_a_parameter_is_nowhere(project):
    """A value that the runner knows to be secret is masked wherever parameters are written."""
    driver = project.root / "driver.py"
    known = "fixture_actions.secrets.register(fixture_actions.CANARY)"
    driver.write_text(driver.read_text().replace("given =", f"{known}\ngiven =", 1))
    code, said = project.run(f"note={CANARY}")
    assert code == 0, said
    assert find_leaks(project) == []


def test_the_autosaved_notebook_of_a_killed_run_is_scrubbed(project):
    """Not even a runner that never came to its end left a secret behind."""
    cells = default_cells()
    cells[2:2] = ["f.secrets.register(f.CANARY)\nprint(f.CANARY)", "f.time.sleep(3)"]
    project.write(cells)
    process = project.start("apply=true", "seconds=50")
    project.wait_for_entry("step_started", step="make b")
    process.kill()
    process.wait()
    assert (project.folders()[0] / "01_make_files.ipynb").exists()
    assert find_leaks(project) == []
