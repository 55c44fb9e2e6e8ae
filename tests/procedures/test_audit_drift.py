"""Procedure 08 on a sandbox: each kind of drift, made by the clients that people use."""

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PROCEDURE = "08_audit_drift"


def audit(estate, **parameters):
    """Run the audit; returns it and what it recorded as drift."""
    done = estate.perform(PROCEDURE, **parameters)
    assert done.error is None, done.error
    return done, next(one["rows"] for one in done.list("observation"))


def require_clean(estate):
    """A second audit, which changes nothing, finds nothing."""
    done, rows = audit(estate, apply=False)
    assert (rows, done.verdict, done.started) == ([], "passed", [])


def test_an_estate_as_declared_passes_without_a_change(estate):
    """Nothing drifted: passed, in a dry run and applied, and not one step."""
    require_clean(estate)
    done, rows = audit(estate, apply=True)
    assert (rows, done.verdict, done.started, done.plan["changes"]) == ([], "passed", [], [])
