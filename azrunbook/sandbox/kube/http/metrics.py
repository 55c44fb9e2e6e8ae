"""Reads of the resource metrics API: made when asked for, of the pods and nodes that there are."""

from aiohttp import web

from azrunbook.sandbox.kube import errors, metrics
from azrunbook.sandbox.kube.http import answers, objects
from azrunbook.sandbox.kube.http.context import Call
from azrunbook.sandbox.kube.metrics import Object


class MetricsReader:
    """Answers get and list; a pod or node that is not measured has no metrics."""

    def __init__(self, source: metrics.Source) -> None:
        self._source = source

    async def get(self, call: Call) -> web.StreamResponse:
        await self._source.settle()
        about = call.registry.resources.get("", call.resource.plural)
        found = call.registry.find(about, call.target.namespace, call.name)
        described = None if found is None else self._describe(call, found)
        if described is None:
            name = f"{call.target.namespace}/{call.name}" if about.namespaced else call.name
            raise errors.not_found(call.resource.kind.lower(), metrics.GROUP, name)
        return objects.respond_object(call, described)

    async def list(self, call: Call) -> web.StreamResponse:
        form = call.representation()
        await self._source.settle()
        found = call.registry.list(
            call.registry.resources.get("", call.resource.plural),
            call.target.namespace,
            label_selector=call.query.get("labelSelector", ""),
            field_selector=call.query.get("fieldSelector", ""),
        )
        described = [one for obj in found if (one := self._describe(call, obj)) is not None]
        body = await objects.encode_list(call, described, {}, form)
        return answers.respond(call.request, body, content_type=form.content_type)

    def _describe(self, call: Call, about: Object) -> Object | None:
        metadata = about["metadata"]
        if call.resource.namespaced:
            reading = self._source.find_pod(metadata["namespace"], metadata["name"])
            return None if reading is None else metrics.describe_pod(about, reading)
        reading = self._source.find_node(metadata["name"])
        return None if reading is None else metrics.describe_node(about, reading)
