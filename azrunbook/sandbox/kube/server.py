"""The API server's listener: TLS, identity, permission, and the way to the handlers.

Law: the only module of the API server that opens a socket. Everything but version and health needs
a client certificate or a bearer token.
"""

import logging
import uuid

from aiohttp import web

from azrunbook.sandbox.kube import errors, metrics
from azrunbook.sandbox.kube.access import authentication
from azrunbook.sandbox.kube.access.authentication import Authenticator
from azrunbook.sandbox.kube.access.authorization import Action, Authorizer
from azrunbook.sandbox.kube.access.reviews import Reviews
from azrunbook.sandbox.kube.http import answers, objects, options, paths, plain, watch
from azrunbook.sandbox.kube.http.context import Call
from azrunbook.sandbox.kube.http.kubelets import Kubelets
from azrunbook.sandbox.kube.http.metrics import MetricsReader
from azrunbook.sandbox.kube.http.paths import Target
from azrunbook.sandbox.kube.http.special import Handler, Special
from azrunbook.sandbox.kube.identity import ANONYMOUS, User
from azrunbook.sandbox.kube.registry import Registry
from azrunbook.sandbox.kube.resources import Resource
from azrunbook.sandbox.tls import Authority

logger = logging.getLogger(__name__)
KUBELET_CLIENT = "kube-apiserver-kubelet-client"
STOP_SECONDS = 2.0

OBJECT_VERBS = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
COLLECTION_VERBS = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}
PARTS = frozenset({"status", "finalize", "approval", "ephemeralcontainers", "resize"})
"""Subresources that are a part of their object: read and written as it is."""
DEPRECATED = {
    "endpoints": "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
    "componentstatuses": "v1 ComponentStatus is deprecated in v1.19+",
}
HANDLERS = {
    "get": objects.get,
    "list": objects.list_objects,
    "watch": watch.watch,
    "create": objects.create,
    "update": objects.update,
    "patch": objects.patch,
    "delete": objects.delete,
    "deletecollection": objects.delete_collection,
}


class ApiServer:
    """The API of one cluster over HTTPS."""

    def __init__(
        self,
        registry: Registry,
        authority: Authority,
        address: str,
        port: int,
        version: str,
        authenticator: Authenticator,
        source: metrics.Source | None = None,
    ) -> None:
        """`source` is what the metrics API answers from; without it the group is not served."""
        self.registry = registry
        self.authorizer = Authorizer(registry)
        self._authority = authority
        self._address = address
        self._port = port
        self._authenticator = authenticator
        self._plain = plain.Plain(registry.resources, f"{address}:{port}", version)
        pair = authority.issue_client(KUBELET_CLIENT, ("system:masters",))
        self._kubelets = Kubelets(authority.client_context(pair))
        reader = None
        if source is not None:
            for resource in metrics.RESOURCES:
                registry.resources.add(resource)
            reader = MetricsReader(source)
        reviews = Reviews(self.authorizer, authenticator)
        self._special = Special(authenticator, self.authorizer, reviews, self._kubelets, reader)
        self._runner: web.ServerRunner | None = None

    @property
    def url(self) -> str:
        return f"https://{self._address}:{self._port}"

    async def start(self) -> None:
        """Listen; raises OSError when the address is taken."""
        names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost")
        context = self._authority.server_context(self._address, *names, ask_client_certificate=True)
        server = web.Server(self._answer, handler_cancellation=True, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=STOP_SECONDS)
        await runner.setup()
        site = web.TCPSite(runner, self._address, self._port, ssl_context=context)
        try:
            await site.start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        if self._port == 0:
            self._port = runner.addresses[0][1]

    async def stop(self) -> None:
        """End all connections and stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        await self._kubelets.stop()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            response = await self._route(request)
        except errors.StatusError as error:
            response = answers.respond_error(request, error)
        except ConnectionError:
            raise
        except Exception:
            number = uuid.uuid4()
            logger.exception("%s %s failed (%s)", request.method, request.path, number)
            message = f"{request.method} {request.path} failed ({number}). This is a bug."
            response = answers.respond_error(request, errors.internal(f"{message} Please report."))
        return response

    async def _route(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        user = self._identify(request, path)
        target = paths.parse(request.rel_url.raw_path)
        if target is None:
            return self._answer_plain(request, user, path)
        return await self._answer_resource(request, user, target)

    def _identify(self, request: web.BaseRequest, path: str) -> User:
        certificate = None
        if request.transport is not None:
            certificate = request.transport.get_extra_info("peercert")
        header = request.headers.get("Authorization", "")
        user = self._authenticator.authenticate(certificate, header)
        if user is not None:
            return self._impersonated(request, user)
        if path.strip("/").partition("/")[0] in plain.OPEN and not header:
            return ANONYMOUS
        raise errors.unauthorized()

    def _impersonated(self, request: web.BaseRequest, user: User) -> User:
        """The user that the caller wants to be, if the caller may; raises StatusError 403."""
        name = request.headers.get("Impersonate-User")
        if not name:
            return user
        groups = request.headers.getall("Impersonate-Group", [])
        self.authorizer.require(user, Action(verb="impersonate", resource="users", name=name))
        for group in groups:
            action = Action(verb="impersonate", resource="groups", name=group)
            self.authorizer.require(user, action)
        return authentication.impersonated(name, groups)

    def _answer_plain(self, request: web.BaseRequest, user: User, path: str) -> web.Response:
        if user is not ANONYMOUS:
            self.authorizer.require(user, Action(verb=request.method.lower(), path=path))
        if request.method not in ("GET", "HEAD"):
            raise errors.method_not_allowed()
        return self._plain.answer(request, path)

    async def _answer_resource(
        self, request: web.BaseRequest, user: User, target: Target
    ) -> web.StreamResponse:
        verb = _verb(request, target)
        action = Action(
            verb=verb or request.method.lower(),
            group=target.group,
            resource=target.plural,
            subresource=target.subresource or "",
            namespace=_namespace(target),
            name=target.name or "",
        )
        self.authorizer.require(user, action)
        resources = self.registry.resources
        if not resources.in_version(target.group, target.version):
            return plain.unknown(request)
        resource = resources.find(target.group, target.plural, target.version)
        if resource is None or _is_misplaced(resource.namespaced, target):
            raise errors.unknown_path()
        subresource = None
        verbs = resource.verbs
        if target.subresource is not None:
            subresource = resource.find_subresource(target.subresource)
            if subresource is None:
                raise errors.unknown_path()
            verbs = subresource.verbs
        if verb is None or verb not in verbs or _lacks_namespace(resource, target, verb):
            raise errors.method_not_allowed()
        call = Call(self.registry, request, user, target, resource, subresource)
        call.warnings += _deprecations(resource)
        handler = self._handler(resource, target.subresource, verb)
        if handler is None:
            raise _not_emulated(target)
        return await handler(call)

    def _handler(self, resource: Resource, sub: str | None, verb: str) -> Handler | None:
        handler = self._special.find(resource, sub, verb)
        if handler is None and (sub is None or sub in PARTS):
            handler = HANDLERS[verb]
        return handler

    def emulates(self, resource: Resource, subresource: str, verb: str) -> bool:
        """Whether a verb of a subresource is answered; discovery lists also those that are not."""
        return self._handler(resource, subresource, verb) is not None


def _deprecations(resource: Resource) -> list[str]:
    """What is said to those who use what will go."""
    custom = resource.custom
    if custom is None:
        return [DEPRECATED[resource.storage]] if resource.storage in DEPRECATED else []
    if not custom.get("deprecated"):
        return []
    usual = f"{resource.api_version} {resource.kind} is deprecated"
    return [custom.get("deprecationWarning") or usual]


def _lacks_namespace(resource: Resource, target: Target, verb: str) -> bool:
    """Over all namespaces there is only list and watch."""
    is_over_all = resource.namespaced and target.namespace is None and target.name is None
    return is_over_all and verb not in ("list", "watch")


def _not_emulated(target: Target) -> errors.StatusError:
    message = (
        f"{target.plural}/{target.subresource} is not emulated. Emulated subresources: "
        "azrunbook/sandbox/kube/http/special.py; add a handler there."
    )
    return errors.StatusError(501, "NotImplemented", message, {})


def _namespace(target: Target) -> str:
    if target.group == "" and target.plural == "namespaces":
        return target.name or ""
    return target.namespace or ""


def _is_misplaced(is_namespaced: bool, target: Target) -> bool:
    """A cluster's object under a namespace, or a namespaced one by name without."""
    if not is_namespaced:
        return target.namespace is not None
    return target.namespace is None and target.name is not None


def _verb(request: web.BaseRequest, target: Target) -> str | None:
    if target.name is None:
        verb = COLLECTION_VERBS.get(request.method)
    elif target.subresource is not None and request.method == "POST":
        verb = "create"
    else:
        verb = OBJECT_VERBS.get(request.method)
    is_watch = target.is_watch or options.flag(request.query, "watch")
    if is_watch and verb in ("list", "get") and target.subresource is None:
        return "watch"
    return verb
