"""Calls that are no plain reads or writes: subresources of their own kind, and reviews."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from azrunbook.sandbox.kube import decoding, errors, metrics, shapes, times
from azrunbook.sandbox.kube.access.authentication import Authenticator
from azrunbook.sandbox.kube.access.authorization import Authorizer
from azrunbook.sandbox.kube.access.reviews import Reviews
from azrunbook.sandbox.kube.http import answers, objects
from azrunbook.sandbox.kube.http.context import Call
from azrunbook.sandbox.kube.http.kubelets import Kubelets
from azrunbook.sandbox.kube.http.logs import LogProxy
from azrunbook.sandbox.kube.http.metrics import MetricsReader
from azrunbook.sandbox.kube.http.streams import StreamProxy
from azrunbook.sandbox.kube.resources import Resource
from azrunbook.sandbox.kube.subresources import pods, scale, tokens

Object = dict[str, Any]
Handler = Callable[[Call], Awaitable[web.StreamResponse]]


def _respond(call: Call, obj: Object, status: int = 200) -> web.Response:
    form = call.representation()
    return answers.respond(
        call.request,
        answers.encode(obj, form.media_type),
        status=status,
        content_type=form.content_type,
        warnings=call.warnings,
    )


async def get_scale(call: Call) -> web.StreamResponse:
    return _respond(call, scale.get(call.registry, call.resource, call.target.namespace, call.name))


async def update_scale(call: Call) -> web.StreamResponse:
    write, body = call.write("Update"), await call.body()
    namespace = call.target.namespace
    found = scale.update(call.registry, call.resource, namespace, call.name, body, write=write)
    return _respond(call, found)


async def patch_scale(call: Call) -> web.StreamResponse:
    write, body = call.write("Patch"), await objects.patch_body(call)
    found = scale.patch(
        call.registry,
        call.resource,
        call.target.namespace,
        call.name,
        body,
        content_type=call.content_type(),
        write=write,
    )
    return _respond(call, found)


class Special:
    """The handlers by (storage, subresource, verb); those of reviews by their resource."""

    def __init__(
        self,
        authenticator: Authenticator,
        authorizer: Authorizer,
        reviews: Reviews,
        kubelets: Kubelets,
        reader: MetricsReader | None,
    ) -> None:
        self._reader = reader
        self._authenticator = authenticator
        self._reviews = reviews
        streams = StreamProxy(kubelets, authorizer)
        self._handlers: dict[tuple[str, str, str], Handler] = {
            ("pods", "eviction", "create"): self._evict,
            ("pods", "binding", "create"): self._bind,
            ("pods", "log", "get"): LogProxy(kubelets).log,
            **{
                ("pods", name, verb): streams.answer
                for name in ("exec", "attach", "portforward")
                for verb in ("get", "create")
            },
            ("serviceaccounts", "token", "create"): self._token,
        }

    def find(self, resource: Resource, sub: str | None, verb: str) -> Handler | None:
        """The handler of a verb of a resource or of its subresource, if it is special."""
        if self._reader is not None and resource in metrics.RESOURCES:
            return {"get": self._reader.get, "list": self._reader.list}.get(verb)
        if sub == "scale":
            return {"get": get_scale, "update": update_scale, "patch": patch_scale}.get(verb)
        if sub is not None:
            return self._handlers.get((resource.storage, sub, verb))
        if resource.plural == "bindings" and resource.group == "":
            return self._bind_named
        return None if resource.is_stored else self._review

    async def _evict(self, call: Call) -> web.StreamResponse:
        write, body = call.write("Create"), await call.body()
        namespace = call.target.namespace or ""
        found = pods.evict(call.registry, namespace, call.name, _object(body), write)
        return _respond(call, found, 201)

    async def _bind(self, call: Call) -> web.StreamResponse:
        write, body = call.write("Create"), await call.body()
        namespace = call.target.namespace or ""
        found = pods.bind(call.registry, namespace, call.name, _object(body), write)
        return _respond(call, found, 201)

    async def _bind_named(self, call: Call) -> web.StreamResponse:
        write, body = call.write("Create"), _object(await call.body())
        name = (body.get("metadata") or {}).get("name", "")
        found = pods.bind(call.registry, call.target.namespace or "", name, body, write)
        return _respond(call, found, 201)

    async def _token(self, call: Call) -> web.StreamResponse:
        body = _object(await call.body())
        found = tokens.create(
            call.registry, self._authenticator, call.target.namespace or "", call.name, body
        )
        return _respond(call, found, 201)

    async def _review(self, call: Call) -> web.StreamResponse:
        resource = call.resource
        body = _object(await call.body())
        shape = shapes.for_kind(resource.api_version, resource.kind)
        obj = decoding.decode(
            shape,
            body,
            kind=resource.kind,
            version=resource.version,
            report=decoding.Report(),
            fill=False,
        )
        obj["kind"], obj["apiVersion"] = resource.kind, resource.api_version
        metadata = obj.setdefault("metadata", {})
        if resource.plural == "selfsubjectreviews":
            metadata["creationTimestamp"] = times.stamp()
        found = self._reviews.answer(resource.plural, obj, call.user, call.target.namespace)
        return _respond(call, found, 201)


def _object(body: Any) -> Object:
    if not isinstance(body, dict):
        raise errors.bad_request("the body is not an object")
    return body
