"""Reviews that ask about nobody, nothing, or two things at once."""

import pytest

from azrunbook.sandbox.kube import errors
from azrunbook.sandbox.kube.access import authentication, authorization, reviews
from azrunbook.sandbox.kube.identity import User

NOTHING = (
    "spec.resourceAttributes: Invalid value: null: "
    "exactly one of nonResourceAttributes or resourceAttributes must be specified"
)
NOBODY = 'spec.user: Invalid value: "": at least one of user or group must be specified'
PATH = {"path": "/x", "verb": "get"}


@pytest.fixture
def refused(refusals):
    """Asks for a review in a namespace; returns the message of the refusal."""
    registry = refusals.registry
    authorizer = authorization.Authorizer(registry)
    answering = reviews.Reviews(authorizer, authentication.Authenticator(registry))

    def ask(kind, spec):
        with pytest.raises(errors.StatusError) as raised:
            answering.answer(kind.lower() + "s", {"kind": kind, "spec": spec}, User("u", ()), "n")
        return raised.value.message

    return ask


@pytest.mark.parametrize(
    ("kind", "spec", "said"),
    [
        ("SelfSubjectAccessReview", {}, NOTHING),
        ("SubjectAccessReview", {}, f"[{NOTHING}, {NOBODY}]"),
        ("LocalSubjectAccessReview", {"resourceAttributes": {}}, NOBODY),
        (
            "SelfSubjectAccessReview",
            {"resourceAttributes": {}, "nonResourceAttributes": PATH},
            (
                'spec.nonResourceAttributes: Invalid value: {"path":"/x","verb":"get"}: '
                "cannot be specified in combination with resourceAttributes"
            ),
        ),
        (
            "LocalSubjectAccessReview",
            {"user": "u", "nonResourceAttributes": PATH},
            (
                'spec.nonResourceAttributes: Invalid value: {"path":"/x","verb":"get"}: '
                "disallowed on this kind of request"
            ),
        ),
    ],
)
def test_access_review_says_whom_and_what(refused, kind, spec, said):
    """The refusal names the kind that was sent."""
    assert refused(kind, spec) == f'{kind}.authorization.k8s.io "" is invalid: {said}'


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("SelfSubjectRulesReview", "no namespace on request"),
        ("TokenReview", "token is required for TokenReview in authentication"),
    ],
)
def test_review_without_its_one_field_is_refused(refused, kind, said):
    """There is nothing to review."""
    assert refused(kind, {}) == said
