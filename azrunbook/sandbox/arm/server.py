"""The ARM server: HTTPS in front of the providers.

The one module here that knows aiohttp. It authenticates, counts, injects faults, routes, parses
and answers; it decides nothing about resources. Handlers are synchronous, so a request is one
atomic step of the event loop; what takes time is a long-running operation.
"""

import inspect
import json
import logging
import time
import uuid
from typing import Any, cast

from aiohttp import web

from azrunbook.sandbox import tls
from azrunbook.sandbox.arm import (
    backends,
    errors,
    faults,
    identity,
    operations,
    paths,
    providers,
    routing,
    services,
    settings,
    store,
    throttling,
)

log = logging.getLogger(__name__)

_MAX_BODY_BYTES = 256 * 1024 * 1024
_TOKEN_PATH = "/{tenant}/oauth2/v2.0/token"  # noqa: S105 # a path, not a secret
_OPENID_PATH = "/{tenant}/v2.0/.well-known/openid-configuration"


class ArmServer:
    """One emulated subscription behind one HTTPS listener.

    Attributes:
        store: the resources; subscribe to it to follow changes.
        faults: rules for failing on purpose.
        operations: long-running operations; ``advance`` those of ``manual`` timing here.
        identity: who may sign in; ``revoke`` a credential here.
        activity: who wrote what, as the activity log tells it.
    """

    def __init__(
        self,
        config: settings.ArmSettings,
        authority: tls.Authority,
        parts: backends.Backends,
    ) -> None:
        self._config = config
        self._authority = authority
        self.store = store.Store()
        self.faults = faults.Faults()
        self.operations = operations.Operations(config.timing, self.faults)
        self.identity = identity.Identity(config)
        self._throttling = throttling.Throttling(config.throttling_scale, time.monotonic)
        shared = services.Services(config, self.store, self.operations, parts)
        self._providers = providers.build(shared)
        self.activity = self._providers.activity
        self._routes = routing.RouteTable(self._providers.routes)
        self._runner: web.AppRunner | None = None
        self._port = config.port

    @property
    def url(self) -> str:
        """Where it listens; without a trailing slash."""
        return f"https://{self._config.address}:{self._port}"

    @property
    def routes(self) -> list[routing.Route]:
        return self._routes.routes

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address or port is taken.
        """
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.router.add_get(_OPENID_PATH, self._openid)
        app.router.add_post(_TOKEN_PATH, self._token)
        app.router.add_get("/metadata/endpoints", self._metadata)
        app.router.add_put("/blobs/{name:.+}", self._put_blob)
        app.router.add_get("/blobs/{name:.+}", self._get_blob)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        context = self._authority.server_context(self._config.address, "localhost")
        site = web.TCPSite(
            self._runner, self._config.address, self._config.port, ssl_context=context
        )
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening and cancel what is in progress."""
        if self._runner:
            await self._runner.cleanup()
            self._runner = None
        await self.operations.stop()
        await self._providers.stop()

    def is_token_valid(self, token: str, audience: str = "") -> bool:
        """Whether an access token was issued here, for an audience if given, and is not expired."""
        return self.identity.is_valid(token, audience)

    async def _openid(self, request: web.Request) -> web.Response:
        answer = self.identity.openid_configuration(request.match_info["tenant"], _origin(request))
        return _respond(answer)

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        return _respond(self.identity.token(request.match_info["tenant"], form))

    async def _metadata(self, request: web.Request) -> web.Response:
        return _respond(identity.cloud_metadata(_origin(request)))

    async def _put_blob(self, request: web.Request) -> web.Response:
        try:
            self._providers.blobs.put(
                request.match_info["name"], request.query, request.headers, await request.read()
            )
        except errors.ArmError as error:
            return _respond(routing.Answer(error.status, error.body(), error.headers))
        return _respond(routing.Answer(201))

    async def _get_blob(self, request: web.Request) -> web.Response:
        try:
            blob = self._providers.blobs.read(request.match_info["name"], request.query)
        except errors.ArmError as error:
            return _respond(routing.Answer(error.status, error.body(), error.headers))
        return web.Response(body=blob.content, headers=blob.headers)

    async def _serve(self, request: web.Request) -> web.Response:
        headers = _trace_headers(request)
        try:
            raw = await request.read()
            answer = await self._answer(request, raw, headers)
        except errors.ArmError as error:
            answer = routing.Answer(error.status, error.body(), error.headers)
        except Exception:
            log.exception("%s %s", request.method, request.path)
            bug = errors.ArmError(
                500,
                "InternalServerError",
                f"{request.method} {request.path} failed inside the sandbox. This is a bug. "
                "Please report.",
            )
            answer = routing.Answer(500, bug.body())
        if request.method == "HEAD" and answer.status == web.HTTPOk.status_code:
            answer = routing.Answer(204, None, answer.headers)
        return _respond(answer, headers)

    async def _answer(
        self, request: web.Request, raw: bytes, headers: dict[str, str]
    ) -> routing.Answer:
        token = self.identity.check(request.headers.get("Authorization"), _origin(request))
        query = {name.lower(): value for name, value in request.query.items()}
        if "api-version" not in query:
            raise errors.bad_request(
                "The api-version query parameter (?api-version=) is required for all requests.",
                code="MissingApiVersionParameter",
            )
        if fault := self.faults.take_answer(request.method, request.path):
            raise fault
        scope = "subscription" if request.path.count("/") > 1 else "tenant"
        headers |= self._throttling.admit(request.method, scope)
        route, parameters = self._routes.match(request.method, request.path)
        self._check_subscription(parameters)
        route.check_api_version(query["api-version"])
        self._throttling.admit_operation(route.operation, request.path)
        call = _call(request, route, parameters, query, raw)
        if inspect.iscoroutinefunction(route.handler):
            self._providers.guard.check(call, token.principal)
            return cast("routing.Answer", await route.handler(call))
        handler = cast("routing.Handler", route.handler)

        def handle() -> routing.Answer:
            self._providers.guard.check(call, token.principal)
            return handler(call)

        correlation = headers["x-ms-correlation-request-id"]
        return self.activity.record(call, token, correlation, handle)

    def _check_subscription(self, parameters: dict[str, str]) -> None:
        asked = parameters.get("subscriptionId", self._config.subscription_id)
        if asked.lower() != self._config.subscription_id.lower():
            raise errors.ArmError(
                404, "SubscriptionNotFound", f"The subscription '{asked}' could not be found."
            )


def _call(
    request: web.Request,
    route: routing.Route,
    parameters: dict[str, str],
    query: dict[str, str],
    raw: bytes,
) -> routing.Call:
    path = routing.fill(route.template, parameters)
    resource = paths.ResourceId("")
    if parameters:
        resource, _ = paths.split(path)
    return routing.Call(
        method=request.method,
        origin=_origin(request),
        path=request.path,
        resource=resource,
        parameters=parameters,
        query=query,
        headers={name.lower(): value for name, value in request.headers.items()},
        body=_parse(raw),
    )


def _parse(raw: bytes) -> dict[str, Any]:
    if not raw.strip():
        return {}
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise errors.bad_request(
            f"The request content was invalid and could not be deserialized: '{error}'.",
            code="InvalidRequestContent",
        ) from error
    if not isinstance(body, dict):
        raise errors.bad_request(
            "The request content was invalid: expected a JSON object.",
            code="InvalidRequestContent",
        )
    return body


def _origin(request: web.Request) -> str:
    return f"https://{request.host}"


def _trace_headers(request: web.Request) -> dict[str, str]:
    id_ = str(uuid.uuid4())
    correlation = request.headers.get("x-ms-correlation-request-id", id_)
    found = {
        "x-ms-request-id": id_,
        "x-ms-correlation-request-id": correlation,
        "x-ms-routing-request-id": f"SANDBOX:{id_}",
        "Cache-Control": "no-cache",
    }
    if client := request.headers.get("x-ms-client-request-id"):
        found["x-ms-client-request-id"] = client
    return found


def _respond(answer: routing.Answer, headers: dict[str, str] | None = None) -> web.Response:
    merged = {**(headers or {}), **answer.headers}
    if answer.body is None:
        return web.Response(status=answer.status, headers=merged)
    text = json.dumps(answer.body)
    return web.Response(
        status=answer.status, text=text, content_type="application/json", headers=merged
    )
