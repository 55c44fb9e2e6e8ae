"""Reviews: requests about access, answered and forgotten."""

from typing import TYPE_CHECKING, Any

from azrunbook.sandbox.kube import errors
from azrunbook.sandbox.kube.access.authorization import Action
from azrunbook.sandbox.kube.identity import User
from azrunbook.sandbox.kube.validation import causes

if TYPE_CHECKING:
    from azrunbook.sandbox.kube.access.authentication import Authenticator
    from azrunbook.sandbox.kube.access.authorization import Authorizer

Object = dict[str, Any]


def _require_access(kind: str, spec: Object) -> None:
    """Raise StatusError 422 unless a review says whom and what it asks about."""
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    found: list[errors.Cause] = []
    if resource is not None and path is not None:
        why = "cannot be specified in combination with resourceAttributes"
        found.append(causes.invalid("spec.nonResourceAttributes", path, why))
    if resource is None and path is None:
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        found.append(causes.invalid("spec.resourceAttributes", None, why))
    if kind != "SelfSubjectAccessReview" and not (spec.get("user") or spec.get("groups")):
        why = "at least one of user or group must be specified"
        found.append(causes.invalid("spec.user", "", why))
    if kind == "LocalSubjectAccessReview" and path is not None:
        why = "disallowed on this kind of request"
        found.append(causes.invalid("spec.nonResourceAttributes", path, why))
    if found:
        raise errors.invalid(kind, "authorization.k8s.io", "", found)


def _action(kind: str, spec: Object, namespace: str | None = None) -> Action:
    _require_access(kind, spec)
    path = spec.get("nonResourceAttributes")
    if path is not None:
        return Action(verb=path.get("verb", ""), path=path.get("path", ""))
    found = spec["resourceAttributes"]
    return Action(
        verb=found.get("verb", ""),
        group=found.get("group", ""),
        resource=found.get("resource", ""),
        subresource=found.get("subresource", ""),
        namespace=namespace or found.get("namespace", ""),
        name=found.get("name", ""),
    )


class Reviews:
    """Answers reviews for one cluster."""

    def __init__(self, authorizer: "Authorizer", authenticator: "Authenticator") -> None:
        self._authorizer = authorizer
        self._authenticator = authenticator

    def answer(self, plural: str, obj: Object, user: User, namespace: str | None) -> Object:
        """The review with its status; raises StatusError 400 and 422."""
        spec, kind = obj.get("spec") or {}, obj["kind"]
        if plural == "selfsubjectaccessreviews":
            return {**obj, "status": self._access(user, _action(kind, spec))}
        if plural in ("subjectaccessreviews", "localsubjectaccessreviews"):
            asked = User(spec.get("user", ""), tuple(spec.get("groups") or ()))
            return {**obj, "status": self._access(asked, _action(kind, spec, namespace))}
        if plural == "selfsubjectrulesreviews":
            if not spec.get("namespace"):
                raise errors.bad_request("no namespace on request")
            return {**obj, "status": self._rules(user, spec.get("namespace", ""))}
        if plural == "selfsubjectreviews":
            return {**obj, "status": {"userInfo": show_user(user)}}
        if not spec.get("token"):
            raise errors.bad_request("token is required for TokenReview in authentication")
        return {**obj, "status": self._token(spec)}

    def _access(self, user: User, action: Action) -> Object:
        reason = self._authorizer.decide(user, action)
        status: Object = {"allowed": reason is not None}
        if reason:
            status["reason"] = reason
        return status

    def _rules(self, user: User, namespace: str) -> Object:
        resources: list[Object] = []
        paths: list[Object] = []
        for granted in self._authorizer.rules(user):
            if granted.namespace not in (None, namespace):
                continue
            rule = granted.rule
            if rule.get("nonResourceURLs"):
                paths.append({"nonResourceURLs": rule["nonResourceURLs"], "verbs": rule["verbs"]})
            else:
                resources.append(
                    {
                        key: rule[key]
                        for key in ("verbs", "apiGroups", "resources", "resourceNames")
                        if rule.get(key)
                    }
                )
        return {"resourceRules": resources, "nonResourceRules": paths, "incomplete": False}

    def _token(self, spec: Object) -> Object:
        user = self._authenticator.check_token(spec.get("token", ""))
        if user is None:
            return {"user": {}, "error": "invalid bearer token"}
        return {"authenticated": True, "user": show_user(user)}


def show_user(user: User) -> Object:
    """A user as `UserInfo`."""
    found: Object = {"username": user.name, "groups": list(user.groups)}
    if user.uid:
        found["uid"] = user.uid
    if user.extra:
        found["extra"] = {key: list(values) for key, values in user.extra.items()}
    return found
