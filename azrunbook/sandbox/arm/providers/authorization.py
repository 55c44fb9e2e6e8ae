"""Microsoft.Authorization: role assignments, locks, and what the caller may do.

Each stands on a scope: the subscription, a group, or a resource. The guard in front of every
request asks here (:meth:`Authorization.check`): a lock refuses deletions or all writes on its scope
and below, and a role that does not hold the action is refused with 403.
"""

import fnmatch
import re
from typing import Any

from azrunbook.sandbox.arm import collection, errors, operations, paths, routing, services, settings
from azrunbook.sandbox.arm.collection import Draft, Kind
from azrunbook.sandbox.arm.routing import GROUP, SUBSCRIPTION, Answer, Call, Route

Json = dict[str, Any]

NAMESPACE = "Microsoft.Authorization"
ASSIGNMENT = "roleAssignments"
LOCK = "locks"
API_VERSIONS = ("2018-07-01", "2018-09-01-preview", "2020-04-01-preview", "2022-04-01",
                "2022-05-01-preview")  # fmt: skip
LOCK_API_VERSIONS = ("2016-09-01", "2017-04-01", "2020-05-01")
_GUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_LEVELS = ("CanNotDelete", "ReadOnly")
_RESOURCE = f"{GROUP}/providers/{{scopeNamespace}}/{{scopeType}}/{{scopeName}}"
_SCOPES = (SUBSCRIPTION, GROUP, _RESOURCE)
# What the built-in roles allow and take out again.
_ROLES: dict[str, tuple[list[str], list[str]]] = {
    "Owner": (["*"], []),
    "Contributor": (
        ["*"],
        [
            "Microsoft.Authorization/*/Delete",
            "Microsoft.Authorization/*/Write",
            "Microsoft.Authorization/elevateAccess/Action",
        ],
    ),
    "Reader": (["*/read"], []),
}
# The names and ids of built-in roles are the same in every tenant.
_DEFINITIONS = {
    "Owner": "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
    "Contributor": "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "Reader": "acdd72a7-3385-48ef-bd42-f606fba81ae7",
    "AcrPull": "7f951dda-4ed3-4680-a7ca-43fe172d538d",
    "AcrPush": "8311e382-0749-4cb8-b61a-304f252e45ec",
    "Network Contributor": "4d97b98b-1d4f-4787-a291-c67834d212e7",
    "Managed Identity Operator": "f1a07417-d97a-45cb-824c-7a7467783830",
    "Storage Blob Data Reader": "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
    "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "Azure Kubernetes Service RBAC Cluster Admin": "b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b",
}


class Authorization:
    """Handlers of assignments and locks, and the guard."""

    def __init__(self, parts: services.Services) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        assignment = self._kind(ASSIGNMENT, API_VERSIONS, self._complete_assignment)
        lock = self._kind(LOCK, LOCK_API_VERSIONS, _complete_lock)
        found: list[Route] = []
        for scope in _SCOPES:
            for kind, name in ((assignment, ASSIGNMENT), (lock, LOCK)):
                served = collection.Collection(kind, self._parts)
                one = f"{scope}/providers/{NAMESPACE}/{name}/{{{name}Name}}"
                found += served.routes_at(one, _lister(self._parts, kind))
            base = f"{scope}/providers/{NAMESPACE}"
            found += [
                Route("GET", f"{base}/permissions", "Permissions_List", self.permissions,
                      (*API_VERSIONS, "2015-07-01")),
                Route("GET", f"{base}/roleDefinitions", "RoleDefinitions_List", self.definitions,
                      API_VERSIONS),
                Route("GET", f"{base}/roleDefinitions/{{role}}", "RoleDefinitions_Get",
                      self.definition, API_VERSIONS),
            ]  # fmt: skip
        return found

    def _kind(self, name: str, versions: tuple[str, ...], complete: Any) -> Kind:
        return Kind(
            type=f"{NAMESPACE}/{name}",
            operation_prefix=name[0].upper() + name[1:],
            api_versions=versions,
            style=operations.PollingStyle(),
            complete=complete,
            at_once=collection.ALWAYS,
            statuses=(201, 200, 200),
            render=_render,
        )

    def permissions(self, _: Call) -> Answer:
        actions, not_actions = _ROLES[self._parts.settings.caller_role]
        row = {
            "actions": actions,
            "notActions": not_actions,
            "dataActions": [],
            "notDataActions": [],
        }
        return Answer(200, {"value": [row]})

    def definitions(self, call: Call) -> Answer:
        wanted = re.search(r"roleName eq '([^']+)'", call.query.get("$filter", ""))
        names = [name for name in _DEFINITIONS if wanted is None or name == wanted[1]]
        return Answer(200, {"value": [self._definition(call, name) for name in names]})

    def definition(self, call: Call) -> Answer:
        asked = call.parameters["role"].lower()
        for name, id_ in _DEFINITIONS.items():
            if id_ == asked:
                return Answer(200, self._definition(call, name))
        raise errors.ArmError(
            404, "RoleDefinitionDoesNotExist", f"The role definition '{asked}' does not exist."
        )

    def _definition(self, call: Call, name: str) -> Json:
        actions, not_actions = _ROLES.get(name, ([], []))
        permission = {"actions": actions, "notActions": not_actions}
        return {
            "id": f"/subscriptions/{call.resource.subscription}/providers/{NAMESPACE}"
            f"/roleDefinitions/{_DEFINITIONS[name]}",
            "name": _DEFINITIONS[name],
            "type": f"{NAMESPACE}/roleDefinitions",
            "properties": {
                "roleName": name,
                "type": "BuiltInRole",
                "description": name,
                "assignableScopes": ["/"],
                "permissions": [permission],
            },
        }

    def _complete_assignment(self, draft: Draft) -> Json:
        if not re.fullmatch(_GUID, draft.resource.name):
            raise errors.bad_request(
                f"The role assignment ID '{draft.resource.name}' is not valid. The role "
                "assignment ID must be a GUID.",
                code="InvalidRoleAssignmentId",
            )
        sent = draft.properties
        principal, role = str(sent.get("principalId", "")), str(sent.get("roleDefinitionId", ""))
        if not re.fullmatch(_GUID, principal):
            raise errors.bad_request(
                f"The Principal ID '{principal}' is not valid. Principal ID must be a GUID.",
                code="InvalidPrincipalId",
            )
        if role.rpartition("/")[2].lower() not in _DEFINITIONS.values():
            raise errors.bad_request(
                f"The role definition '{role}' was not found; emulated: {', '.join(_DEFINITIONS)}.",
                code="RoleDefinitionDoesNotExist",
            )
        scope = _scope_of(draft.resource)
        self._check_unique(draft, scope, principal, role)
        kind = sent.get("principalType") or "ServicePrincipal"
        return {"condition": None, "conditionVersion": None, **sent, "scope": scope,
                "principalType": kind}  # fmt: skip

    def _check_unique(self, draft: Draft, scope: str, principal: str, role: str) -> None:
        for one in self._parts.store.list_by_type(f"{NAMESPACE}/{ASSIGNMENT}"):
            has = one["properties"]
            same = (
                has["scope"].lower() == scope.lower()
                and has["principalId"] == principal
                and has["roleDefinitionId"].rpartition("/")[2] == role.rpartition("/")[2]
            )
            is_itself = one["id"].lower() == draft.resource.key
            if same and not is_itself:
                raise errors.ArmError(
                    409, "RoleAssignmentExists", "The role assignment already exists. The ID of "
                    f"the existing role assignment is {one['name'].replace('-', '')}.",
                )  # fmt: skip
            if is_itself and not same:
                raise errors.bad_request(
                    "Tenant ID, application ID, principal ID, and scope are not allowed to be "
                    "updated.",
                    code="RoleAssignmentUpdateNotPermitted",
                )

    def check(self, call: Call, caller: settings.Principal) -> None:
        """Refuse what the caller's role or a lock forbids.

        Raises:
            errors.ArmError: 403 AuthorizationFailed, 409 ScopeLocked.
        """
        self._check_role(call, caller)
        verb = call.action.rpartition("/")[2]
        if verb in {"write", "delete"} and not re.search(
            r"/locks/[^/]+$", call.path, re.IGNORECASE
        ):
            self._check_locks(verb, call.resource)

    def _check_role(self, call: Call, caller: settings.Principal) -> None:
        action = call.action
        actions, not_actions = _ROLES[self._parts.settings.caller_role]
        if _holds(actions, action) and not _holds(not_actions, action):
            return
        raise errors.ArmError(
            403,
            "AuthorizationFailed",
            f"The client '{caller.client_id}' with object id '{caller.object_id}' does not have "
            f"authorization to perform action '{action}' over scope '{call.resource}' or the scope "
            "is invalid. If access was recently granted, please refresh your credentials.",
        )

    def _check_locks(self, verb: str, resource: paths.ResourceId) -> None:
        for lock in self._parts.store.list_by_type(f"{NAMESPACE}/{LOCK}"):
            scope = _scope_of(paths.parse(lock["id"])).lower()
            covers = resource.key == scope or resource.key.startswith(f"{scope}/")
            # Deleting takes along what is locked below.
            holds = verb == "delete" and scope.startswith(f"{resource.key}/")
            level = lock["properties"]["level"]
            if (covers and (verb == "delete" or level == "ReadOnly")) or holds:
                raise errors.ArmError(
                    409,
                    "ScopeLocked",
                    f"The scope '{resource}' cannot perform {verb} operation because following "
                    f"scope(s) are locked: '{scope}'. Please remove the lock and try again.",
                )


def _complete_lock(draft: Draft) -> Json:
    level = draft.properties.get("level")
    if level not in _LEVELS:
        raise errors.bad_request(
            f"The lock level '{level}' is invalid: expected one of {', '.join(_LEVELS)}.",
            code="LockLevelInvalid",
            target="properties.level",
        )
    return dict(draft.properties)


def _lister(parts: services.Services, kind: Kind) -> routing.Handler:
    """List what stands on a scope, above it and below it, as Azure does."""

    def list_at(call: Call) -> Answer:
        scope = call.path.lower().partition("/providers/microsoft.authorization")[0]
        exact = "atscope()" in call.query.get("$filter", "").lower()
        found = []
        for one in parts.store.list_by_type(kind.type):
            own = _scope_of(paths.parse(one["id"])).lower()
            is_above = scope == own or scope.startswith(f"{own}/")
            if is_above or (own.startswith(f"{scope}/") and not exact):
                found.append(_render(one))
        return Answer(200, {"value": found})

    return list_at


def _scope_of(resource: paths.ResourceId) -> str:
    text = str(resource)
    return text[: text.lower().rindex("/providers/microsoft.authorization")]


def _render(document: Json) -> Json:
    return collection.without_state(document)


def _holds(patterns: list[str], action: str) -> bool:
    return any(fnmatch.fnmatch(action.lower(), pattern.lower()) for pattern in patterns)
