"""The table of what is emulated is true, and where it says that something is missing it is."""

from pathlib import Path

import pytest

from azrunbook.sandbox.host import coverage

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def generated():
    return coverage.markdown()


def test_table_is_what_the_sandbox_says_of_itself(generated):
    """Generated anew it is the same."""
    written = (ROOT / "azrunbook/sandbox/COVERAGE.md").read_text()
    assert written == generated, f"the table is out of date; run: {coverage.COMMAND}"


@pytest.mark.parametrize("file", [file for _, file in coverage.MISSING])
def test_file_to_add_it_to_exists(file):
    """Each thing that is missing names one."""
    assert (ROOT / coverage.KUBE / file).exists()


@pytest.mark.parametrize(
    "row",
    [
        "| pods | Pod | all | ",
        "proxy (*not emulated*)",
        "| deployments | Deployment | all | scale, status | deployment",
        "| tokenreviews | TokenReview | create |",
        "| ManagedClusters_CreateOrUpdate | PUT |",
    ],
)
def test_table_has_rows_of_both_servers(generated, row):
    """Kinds with their verbs, subresources and controllers; operations with their methods."""
    assert row in generated
