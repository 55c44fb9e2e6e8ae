"""Microsoft.Cdn: Front Door profiles, endpoints, origins, routes, domains, security policies.

The documents only; traffic is another server's, fed from the store. ARM's success is therefore not
the edge's: ``deploymentStatus`` stays ``NotStarted``, as in Azure's own examples.
"""

from typing import Any

from azrunbook.sandbox.arm import collection, errors, operations, paths, routing, services
from azrunbook.sandbox.arm.collection import Draft, Kind
from azrunbook.sandbox.arm.providers import cdn_options, cdn_rules, private_links

Json = dict[str, Any]

NAMESPACE = "Microsoft.Cdn"
PROFILE = "Microsoft.Cdn/profiles"
ENDPOINT = "Microsoft.Cdn/profiles/afdEndpoints"
ORIGIN_GROUP = "Microsoft.Cdn/profiles/originGroups"
ORIGIN = "Microsoft.Cdn/profiles/originGroups/origins"
ROUTE = "Microsoft.Cdn/profiles/afdEndpoints/routes"
DOMAIN = "Microsoft.Cdn/profiles/customDomains"
SECURITY_POLICY = "Microsoft.Cdn/profiles/securityPolicies"
API_VERSIONS = (
    "2023-05-01",
    "2024-02-01",
    "2024-09-01",
    "2025-04-15",
    "2025-06-01",
    "2025-09-01",
    "2025-12-01",
    "2026-04-01",
    "2026-10-01",
)
_STATUS = f"{routing.GROUP}/providers/{NAMESPACE}/operationresults/{{operationId}}"
STYLE = operations.PollingStyle(status=_STATUS, result=f"{_STATUS}/profileresults/{{operationId}}")


class CdnProvider:
    """The kinds of Front Door, and the rules that look at more than one document."""

    def __init__(self, parts: services.Services, links: private_links.PrivateLinks) -> None:
        self._parts = parts
        self._links = links

    def routes(self) -> list[routing.Route]:
        polls = self._parts.long_running
        table = [
            ("GET", str(STYLE.status), "Operations_Get", polls.status_answer),
            ("GET", _result_template(), "OperationResults_Get", polls.result_answer),
            ("POST", f"{_endpoint_template()}/purge", "AFDEndpoints_PurgeContent", self.purge),
        ]
        return [
            *(
                r
                for kind in self._kinds()
                for r in collection.Collection(kind, self._parts).routes()
            ),
            *(routing.Route(*row, API_VERSIONS) for row in table),
        ]

    def purge(self, call: routing.Call) -> routing.Answer:
        """Drop the edge's copies of some paths; of all host names, or of the domains named."""
        endpoint = self._parts.store.get(call.resource, ENDPOINT)
        wanted = call.body.get("contentPaths") or []
        if not wanted or not all(str(path).startswith("/") for path in wanted):
            raise errors.bad_request(
                f"Property 'contentPaths' is {wanted}: expected paths, for example /static/*.",
                target="contentPaths",
            )
        hosts = call.body.get("domains") or [
            endpoint["properties"]["hostName"],
            *(one["properties"]["hostName"] for one in self._parts.store.list_by_type(DOMAIN)),
        ]
        edge = self._parts.backends.edge

        plan = operations.Plan(
            resource=call.resource,
            type=ENDPOINT,
            verb="purge",
            style=STYLE,
            location="global",
            succeed=lambda: edge.purge(hosts, wanted) if edge else None,
            fail=lambda _: None,
            cancel=lambda: None,
        )
        operation = self._parts.long_running.begin(plan)
        headers = self._parts.long_running.headers(operation, call)
        return routing.Answer(202, None, headers)

    def _kinds(self) -> list[Kind]:
        def kind(type_: str, prefix: str, **rules: Any) -> Kind:
            return Kind(
                type=type_,
                operation_prefix=prefix,
                api_versions=API_VERSIONS,
                style=STYLE,
                statuses=(202, 202, 202),
                **rules,
            )

        return [
            kind(PROFILE, "Profiles", complete=cdn_rules.complete_profile, tracked=True),
            kind(ENDPOINT, "AFDEndpoints", complete=self._complete_endpoint, tracked=True),
            kind(
                ORIGIN_GROUP,
                "AFDOriginGroups",
                complete=cdn_rules.complete_origin_group,
                check_delete=self._check_group_delete,
            ),
            kind(
                ORIGIN,
                "AFDOrigins",
                complete=self._complete_origin,
                work=self._links.require_target,
                finished=self._links.ask,
                check_delete=self._check_origin_delete,
            ),
            kind(ROUTE, "Routes", complete=self._complete_route),
            kind(
                DOMAIN,
                "AFDCustomDomains",
                complete=cdn_options.complete_domain,
                check_delete=self._check_domain_delete,
            ),
            kind(SECURITY_POLICY, "SecurityPolicies", complete=self._complete_policy),
        ]

    def _complete_endpoint(self, draft: Draft) -> Json:
        return cdn_rules.complete_endpoint(draft, self._parts.settings.tenant_id)

    def _complete_origin(self, draft: Draft) -> Json:
        properties = cdn_rules.complete_origin(draft)
        if properties.get("sharedPrivateLinkResource"):
            group = draft.resource.parent
            profile = self._parts.store.get(group.parent, PROFILE)
            others = self._parts.store.list_by_type(ORIGIN, below=group)
            others = [one for one in others if one["id"].lower() != draft.resource.key]
            cdn_options.check_private_link(draft, properties, profile, others)
        return properties

    def _complete_policy(self, draft: Draft) -> Json:
        return cdn_options.complete_policy(draft, self._parts)

    def _check_domain_delete(self, domain: paths.ResourceId) -> None:
        for route in self._parts.store.list_by_type(ROUTE):
            used = route["properties"].get("customDomains") or []
            if any(str(one["id"]).lower() == domain.key for one in used):
                raise errors.ArmError(
                    409,
                    "Conflict",
                    f"The custom domain '{domain.name}' cannot be deleted: it is associated with "
                    f"route '{route['name']}'.",
                )

    def _complete_route(self, draft: Draft) -> Json:
        properties = cdn_rules.complete_route(draft)
        group = _reference(properties["originGroup"], "originGroup")
        self._check_usable(group)
        self._check_patterns(draft.resource, properties["patternsToMatch"])
        return properties

    def _check_usable(self, group: paths.ResourceId) -> None:
        origins = self._parts.store.list_by_type(ORIGIN, below=group)
        if self._parts.store.find(group) is None:
            raise errors.bad_request(
                f"The origin group of the route was not found: {group}.", target="originGroup"
            )
        if not any(origin["properties"]["enabledState"] == "Enabled" for origin in origins):
            raise errors.bad_request(
                "Please make sure that the originGroup is created successfully and at least one "
                f"enabled origin is created under the origin group '{group.name}'.",
                target="originGroup",
            )

    def _check_patterns(self, route: paths.ResourceId, patterns: list[str]) -> None:
        for other in self._parts.store.list_by_type(ROUTE, below=route.parent):
            taken = set(other["properties"]["patternsToMatch"]) & set(patterns)
            if other["id"].lower() != route.key and taken:
                raise errors.ArmError(
                    409,
                    "Conflict",
                    f"The pattern {min(taken)} of route '{route.name}' is already used by "
                    f"route '{other['name']}' of endpoint '{route.parent.name}'.",
                )

    def _check_group_delete(self, group: paths.ResourceId) -> None:
        if route := self._find_route_of(group):
            raise errors.ArmError(
                409,
                "Conflict",
                f"The origin group '{group.name}' cannot be deleted: it is associated with route "
                f"'{route}'. Delete the route or give it another origin group first.",
            )

    def _check_origin_delete(self, origin: paths.ResourceId) -> None:
        others = self._parts.store.list_by_type(ORIGIN, below=origin.parent)
        if len(others) == 1 and (route := self._find_route_of(origin.parent)):
            raise errors.ArmError(
                409,
                "Conflict",
                f"Cannot delete the last origin '{origin.name}' of origin group "
                f"'{origin.parent.name}': the origin group is associated with route '{route}'.",
            )

    def _find_route_of(self, group: paths.ResourceId) -> str | None:
        for route in self._parts.store.list_by_type(ROUTE):
            if str(route["properties"]["originGroup"]["id"]).lower() == group.key:
                return str(route["name"])
        return None


def _result_template() -> str:
    # The id stands in the path twice, as Azure's Location has names after the operation id.
    return f"{_STATUS}/profileresults/{{resultId}}"


def _endpoint_template() -> str:
    namespace, kind, child = ENDPOINT.split("/")
    return f"{routing.GROUP}/providers/{namespace}/{kind}/{{profileName}}/{child}/{{endpointName}}"


def _reference(value: Any, target: str) -> paths.ResourceId:
    text = value.get("id") if isinstance(value, dict) else None
    try:
        return paths.parse(str(text))
    except paths.InvalidIdError as error:
        raise errors.bad_request(
            f"Property '{target}.id' is invalid: {error}", target=target
        ) from error
