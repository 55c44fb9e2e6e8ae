"""What the README says is there, is there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_every_notebook_is_in_the_index():
    """And none is listed that does not exist."""
    listed = set(re.findall(r"\]\(notebooks/(\w+)\.ipynb\)", README))
    assert listed == {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([\w./-]+)\)", README))))
def test_links_lead_somewhere(link):
    """Relative links of the README."""
    assert (ROOT / link).exists()


@pytest.mark.parametrize(
    "command", sorted(set(re.findall(r"azrunbook (?:sandbox )?[a-z]+", README)))
)
def test_commands_exist(command):
    """Every command that the README types has a help page."""
    words = command.split()[1:]
    done = subprocess.run(
        [sys.executable, "-c", "from azrunbook.cli import main; main()", *words, "--help"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
