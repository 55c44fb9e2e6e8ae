"""Which password is believed and what is said of each Secret, decided without a cluster."""

import base64
import dataclasses
import hashlib
import json

import pytest

from azrunbook import kube_secrets, outputs, secrets
from azrunbook.procedures import credentials

DATA = (
    outputs.Database("writer.example", "", "shop", "admin"),
    outputs.Cache("cache.example", 6380, secrets.Secret("the-cache's-key")),
)
OLD, NEW = "Password-old", "Password-new"


def hold(password, set_at="", **values):
    annotations = {credentials.SET_AT: set_at} if set_at else {}
    return credentials.Seen(
        "primary",
        kube_secrets.Stored({**credentials.make_values(DATA, password), **values}, annotations),
        DATA,
    )


@pytest.mark.parametrize(
    ("held", "believed"),
    [
        ([], ""),
        ([hold(OLD), hold(OLD)], OLD),
        ([hold(OLD, "2026-01-01T00:00:00+00:00"), hold(NEW, "2026-02-01T00:00:00+00:00")], NEW),
        ([hold(OLD), hold(NEW, "2026-02-01T00:00:00+00:00")], NEW),
        ([hold(OLD, "2026-01-01T00:00:00+00:00"), hold(NEW, "2026-01-01T00:00:00+00:00")], ""),
        ([hold(OLD, credentials.PENDING), hold(NEW, "2026-02-01T00:00:00+00:00")], ""),
        ([hold(OLD), dataclasses.replace(hold(OLD), is_refused=True)], ""),
        ([hold(OLD, DATABASE_URL="postgresql://admin:x@["), hold(NEW)], NEW),
        ([hold(OLD, DATABASE_URL="postgresql://admin:short@writer.example/shop")], ""),
    ],
)  # fmt: skip
def test_the_password_that_was_set_last_is_believed_unless_another_says_the_same(held, believed):
    """Nor while a new one is being set; what is no URL, or too short, counts for nothing."""
    assert credentials.choose_password(held).value == believed


@pytest.mark.parametrize(
    ("seen", "password", "state", "differing"),
    [
        (hold(OLD), OLD, "held", ()),
        (hold(OLD, MORE="of somebody else"), OLD, "held", ()),
        (hold(OLD), NEW, "differs", ("DATABASE_URL",)),
        (hold(OLD, REDIS_URL="rediss://:former@cache"), OLD, "differs", ("REDIS_URL",)),
        (hold(OLD), "", "differs", ("DATABASE_URL",)),
        (credentials.Seen("primary", hold(OLD).stored), OLD, "differs", credentials.KEYS),
        (credentials.Seen("primary"), OLD, "absent", ()),
        (credentials.Seen("primary", is_stopped=True), OLD, "stopped", ()),
        (credentials.Seen("primary", problem="no answer"), OLD, "unknown", ()),
    ],
)  # fmt: skip
def test_a_secret_is_judged_by_its_content(seen, password, state, differing):
    """Both keys have to be as they should; keys of others do not count."""
    fact = credentials.judge(seen, "eastus", password)
    assert (fact.state, fact.differing) == (state, differing)


def test_what_is_written_is_undone_by_what_was_there():
    """Nothing of a stopped cluster, and no deletion of what was not known when planned."""
    states = {"one": ("absent", ""), "two": ("differs", "d1"), "three": ("unknown", ""),
              "four": ("stopped", ""), "five": ("held", "d2")}  # fmt: skip
    facts = credentials.Facts("x-data", tuple(
        credentials.Fact(role, role, state, digest=digest)
        for role, (state, digest) in states.items()
    ))  # fmt: skip
    (step,) = credentials.plan_steps(facts)
    assert step.arguments == {"former": {"one": "", "two": "d1", "three": ""}}
    assert [(one.action, one.arguments) for one in step.undo] == [
        ("delete_credentials", {"roles": ["one"]}),
        ("restore_credentials", {"former": {"two": "d1"}}),
    ]
    (check,) = credentials.check_held(facts)
    assert check.found == "not in one; not as Azure has it in two; not found out in three"
    assert [one.region for one in credentials.plan_changes(facts)] == [
        "one",
        "two",
        "three",
        "five",
    ]


def test_a_digest_is_the_charts_and_says_nothing_of_the_content():
    """sha256sum of both encoded values; other keys do not change it."""
    values = credentials.make_values(DATA, OLD)
    both = " ".join(base64.b64encode(values[key].encode()).decode() for key in credentials.KEYS)
    digest = credentials.digest({**values, "MORE": "x"})
    assert digest == hashlib.sha256(both.encode()).hexdigest()
    assert secrets.scrub(digest) == digest


@pytest.mark.parametrize(
    ("line", "is_refused"),
    [
        (json.dumps({"message": 'FATAL:  password authentication failed for user "a"'}), True),
        (json.dumps({"message": "no", "path": "/password authentication failed"}), False),
        ("password authentication failed, says somebody", False),
        ('["password authentication failed"]', False),
    ],
)
def test_only_the_applications_own_message_tells_of_a_refused_password(line, is_refused):
    """A visitor who asks for a path of these words does not make 01 set a password."""
    assert credentials.tells_refusal(f"{{}}\n{line}\n") == is_refused
