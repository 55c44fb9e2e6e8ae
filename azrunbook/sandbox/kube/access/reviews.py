"""Reviews: requests about access, answered and forgotten."""

from typing import TYPE_CHECKING, Any

from azrunbook.sandbox.kube import errors
from azrunbook.sandbox.kube.access.authorization import Action
from azrunbook.sandbox.kube.identity import User

if TYPE_CHECKING:
    from azrunbook.sandbox.kube.access.authentication import Authenticator
    from azrunbook.sandbox.kube.access.authorization import Authorizer

Object = dict[str, Any]


def _action(spec: Object, namespace: str | None = None) -> Action:
    path = spec.get("nonResourceAttributes")
    if path is not None:
        return Action(verb=path.get("verb", ""), path=path.get("path", ""))
    found = spec.get("resourceAttributes")
    if found is None:
        cause = errors.Cause(
            "FieldValueInvalid",
            "Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes "
            "must be specified",
            "spec.resourceAttributes",
        )
        raise errors.invalid("SubjectAccessReview", "authorization.k8s.io", "", [cause])
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
        """The review with its status; raises StatusError 422."""
        spec = obj.get("spec") or {}
        if plural == "selfsubjectaccessreviews":
            return {**obj, "status": self._access(user, _action(spec))}
        if plural in ("subjectaccessreviews", "localsubjectaccessreviews"):
            asked = User(spec.get("user", ""), tuple(spec.get("groups") or ()))
            return {**obj, "status": self._access(asked, _action(spec, namespace))}
        if plural == "selfsubjectrulesreviews":
            return {**obj, "status": self._rules(user, spec.get("namespace", ""))}
        if plural == "selfsubjectreviews":
            return {**obj, "status": {"userInfo": show_user(user)}}
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
