"""The token subresource of service accounts."""

import datetime as dt
from typing import TYPE_CHECKING, Any

from azrunbook.sandbox.kube import errors, times
from azrunbook.sandbox.kube.access.authentication import ISSUER, Authenticator

if TYPE_CHECKING:
    from azrunbook.sandbox.kube.registry import Registry

Object = dict[str, Any]
SHORTEST_SECONDS, LONGEST_SECONDS, USUAL_SECONDS = 600, 1 << 32, 3600
BOUND = {"Pod": "pods", "Secret": "secrets", "Node": "nodes"}


def _bound(registry: "Registry", namespace: str, reference: Object | None) -> Object | None:
    if not reference:
        return None
    plural = BOUND.get(reference.get("kind", ""))
    if plural is None:
        raise errors.bad_request(f"cannot bind token to object of type {reference.get('kind')}")
    resource = registry.resources.get("", plural)
    found = registry.get(resource, namespace, reference["name"])
    uid = reference.get("uid")
    if uid and uid != found["metadata"]["uid"]:
        why = (
            f"the UID in the bound object reference ({uid}) does not match the UID in record. "
            "The object might have been deleted and then recreated"
        )
        raise errors.conflict(plural, "", reference["name"], why)
    return {**reference, "uid": found["metadata"]["uid"]}


def create(
    registry: "Registry", authenticator: Authenticator, namespace: str, name: str, body: Object
) -> Object:
    """Issue a token for a TokenRequest; raises StatusError 404, 409 or 422."""
    accounts = registry.resources.get("", "serviceaccounts")
    account = registry.get(accounts, namespace, name)
    spec = dict(body.get("spec") or {})
    seconds = spec.get("expirationSeconds") or USUAL_SECONDS
    if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
        why = "may not specify a duration less than 10 minutes"
        if seconds > LONGEST_SECONDS:
            why = "may not specify a duration larger than 2^32 seconds"
        cause = errors.Cause(
            "FieldValueInvalid", f"Invalid value: {seconds}: {why}", "spec.expirationSeconds"
        )
        raise errors.invalid("TokenRequest", "authentication.k8s.io", "", [cause])
    audiences = spec.get("audiences") or [ISSUER]
    bound = _bound(registry, namespace, spec.get("boundObjectRef"))
    token = authenticator.issue_token(account, seconds=seconds, audiences=audiences, bound=bound)
    until = times.now() + dt.timedelta(seconds=seconds)
    spec.update(expirationSeconds=seconds, audiences=list(audiences))
    spec.setdefault("boundObjectRef", None)
    return {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": times.stamp()},
        "spec": spec,
        "status": {"token": token, "expirationTimestamp": times.stamp(until)},
    }
