"""Label and field selectors as truth tables."""

import pytest

from azrunbook.sandbox.kube import errors, fields, resources, selectors

TABLE = resources.ResourceTable()
LABELS = {"tier": "web", "n": "5"}


@pytest.mark.parametrize(
    ("text", "is_match"),
    [
        ("", True),
        ("tier=web", True),
        ("tier==web", True),
        ("tier!=web", False),
        ("tier!=db", True),
        ("absent!=x", True),
        ("tier in (web, db)", True),
        ("tier notin (web)", False),
        ("absent notin (web)", True),
        ("tier", True),
        ("!tier", False),
        ("!absent", True),
        ("n>4", True),
        ("n<4", False),
        ("tier=web,n=6", False),
        ("example.com/x=", False),
    ],
)
def test_label_selectors_match_as_the_table_says(text, is_match):
    """One selector against two labels."""
    assert selectors.match_labels(selectors.parse_labels(text), LABELS) is is_match


@pytest.mark.parametrize("text", ["a===b", "a in", "a in (b", "=b", "a,,b", "a b", "-x=y", "a=b c"])
def test_malformed_label_selectors_are_refused(text):
    """A selector that cannot be read is a 400, never an empty answer."""
    with pytest.raises(errors.StatusError) as raised:
        selectors.parse_labels(text)
    assert raised.value.code == 400


def test_selector_objects_become_the_same_text_as_the_scale_shows():
    """Labels and expressions in one text."""
    found = selectors.from_label_selector(
        {
            "matchLabels": {"b": "2", "a": "1"},
            "matchExpressions": [{"key": "c", "operator": "NotIn", "values": ["y", "x"]}],
        }
    )
    assert selectors.format_requirements(found or ()) == "a=1,b=2,c notin (x,y)"


@pytest.mark.parametrize(
    ("text", "is_match"),
    [
        ("metadata.name=p", True),
        ("metadata.name!=p", False),
        ("status.phase=Pending,spec.nodeName=", True),
        ("spec.hostNetwork=false", True),
    ],
)
def test_field_selectors_read_pods(text, is_match):
    """Absent fields read as empty, or as the zero of their type."""
    pod = {"metadata": {"name": "p"}, "spec": {}, "status": {"phase": "Pending"}}
    predicate = fields.field_predicate(TABLE.get("", "pods"), text)
    assert predicate is not None
    assert predicate(pod) is is_match


@pytest.mark.parametrize(
    ("plural", "message"),
    [
        ("configmaps", 'only "metadata.name", "metadata.namespace"'),
        ("pods", "field label not supported: spec.nope"),
    ],
)
def test_fields_that_cannot_be_selected_by_are_refused(plural, message):
    """The two wordings of the real server."""
    with pytest.raises(errors.StatusError, match=message):
        fields.field_predicate(TABLE.get("", plural), "spec.nope=1")
