"""Reads and writes of objects over HTTP."""

import asyncio
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from azrunbook.sandbox.kube import (
    bodies,
    creating,
    deleting,
    errors,
    listing,
    patching,
    tables,
    updating,
)
from azrunbook.sandbox.kube.http import answers, negotiation, options
from azrunbook.sandbox.kube.http.context import Call
from azrunbook.sandbox.kube.http.negotiation import Representation
from azrunbook.sandbox.kube.watching import Scope

Object = dict[str, Any]
BATCH = 250


def respond_object(
    call: Call, obj: Object, *, status: int = 200, representation: Representation | None = None
) -> web.Response:
    """One object in the form that the client asked for."""
    form = representation or call.representation()
    shown = present(call, obj, form)
    return answers.respond(
        call.request,
        answers.encode(shown, form.media_type),
        status=status,
        content_type=form.content_type,
        warnings=call.warnings,
    )


def present(call: Call, obj: Object, form: Representation) -> Object:
    """The object as a Table, as its metadata, or as it is."""
    if form.shape == "Table" and obj.get("kind") != "Status":
        metadata = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
        return tables.table(
            call.resource, [obj], metadata, form.version, call.query.get("includeObject", "")
        )
    if form.shape == "PartialObjectMetadata" and obj.get("kind") != "Status":
        return metadata_only(obj, form.version)
    return obj


def metadata_only(obj: Object, version: str) -> Object:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": obj["metadata"],
    }


async def get(call: Call) -> web.StreamResponse:
    form = call.representation()
    obj = call.registry.get(call.resource, call.target.namespace, call.name)
    return respond_object(call, obj, representation=form)


def scope_of(call: Call) -> Scope:
    """What a list or watch is about; a watch of one name is a field selector."""
    selector = call.query.get("fieldSelector", "")
    if call.target.name is not None:
        selector = f"metadata.name={call.name}"
    return Scope(
        call.resource, call.target.namespace, call.query.get("labelSelector", ""), selector
    )


async def list_objects(call: Call) -> web.StreamResponse:
    form = call.representation()
    query = call.query
    options.require_list(query)
    wanted = listing.Options(
        limit=max(options.integer(query, "limit"), 0),
        token=query.get("continue", ""),
        version=query.get("resourceVersion", ""),
        match=query.get("resourceVersionMatch", ""),
    )
    page = listing.list_page(call.registry.store, scope_of(call), wanted)
    body = await encode_list(call, page.objects, page.metadata(), form)
    return answers.respond(
        call.request, body, content_type=form.content_type, warnings=call.warnings
    )


async def encode_list(
    call: Call, objects: Sequence[Object], metadata: Object, form: Representation
) -> bytes:
    """A list in the form asked for; long ones give other requests a turn in between."""
    resource = call.resource
    if form.shape == "Table":
        return await _encode_table(call, objects, metadata, form)
    head: Object = {"kind": resource.list_kind, "apiVersion": resource.api_version}
    items: Sequence[Object] = objects
    if form.shape == "PartialObjectMetadata":
        items = [metadata_only(obj, form.version) for obj in objects]
        head = {
            "kind": "PartialObjectMetadataList",
            "apiVersion": f"meta.k8s.io/{form.version}",
        }
    elif resource.custom is None:
        items = [_untyped(obj) for obj in objects]
    if form.media_type == negotiation.YAML:
        return answers.encode({**head, "metadata": metadata, "items": items}, form.media_type)
    parts = []
    for start in range(0, len(items), BATCH):
        parts.append(answers.encode_part(list(items[start : start + BATCH]))[1:-1])
        await asyncio.sleep(0)
    text = answers.encode_part({**head, "metadata": metadata})[:-1]
    return text + b',"items":[' + b",".join(parts) + b"]}\n"


async def _encode_table(
    call: Call, objects: Sequence[Object], metadata: Object, form: Representation
) -> bytes:
    include = call.query.get("includeObject", "")
    if form.media_type == negotiation.YAML:
        shown = tables.table(call.resource, objects, metadata, form.version, include)
        return answers.encode(shown, form.media_type)
    parts = []
    for start in range(0, len(objects), BATCH):
        some = objects[start : start + BATCH]
        rows = tables.table(call.resource, some, {}, form.version, include)["rows"]
        parts.append(answers.encode_part(rows)[1:-1])
        await asyncio.sleep(0)
    head = tables.table(call.resource, [], metadata, form.version)
    del head["rows"]
    return answers.encode_part(head)[:-1] + b',"rows":[' + b",".join(parts) + b"]}\n"


def _untyped(obj: Object) -> Object:
    """Items of a built-in list do not repeat their kind."""
    return {key: value for key, value in obj.items() if key not in ("kind", "apiVersion")}


async def create(call: Call) -> web.StreamResponse:
    form = call.representation()
    write = call.write("Create")
    body = await call.body()
    obj = creating.create(call.registry, call.resource, call.target.namespace, body, write)
    return respond_object(call, obj, status=201, representation=form)


async def update(call: Call) -> web.StreamResponse:
    form = call.representation()
    write = call.write("Update")
    body = await call.body()
    target = call.target
    before = call.registry.find(call.resource, target.namespace, call.name)
    obj = updating.update(
        call.registry,
        call.resource,
        target.namespace,
        call.name,
        body,
        write=write,
        subresource=target.subresource,
    )
    status = 201 if before is None else 200
    return respond_object(call, obj, status=status, representation=form)


async def patch(call: Call) -> web.StreamResponse:
    form = call.representation()
    write = call.write("Patch")
    body = await patch_body(call)
    target = call.target
    before = call.registry.find(call.resource, target.namespace, call.name)
    obj = patching.patch(
        call.registry,
        call.resource,
        target.namespace,
        call.name,
        body,
        content_type=call.content_type(),
        write=write,
        subresource=target.subresource,
    )
    status = 201 if before is None else 200
    return respond_object(call, obj, status=status, representation=form)


async def patch_body(call: Call) -> Any:
    """The parsed patch; raises StatusError 415 before anything is read."""
    kind = call.content_type()
    if kind not in patching.types_of(call.resource):
        raise errors.unsupported_media_type(
            patching.types_of(call.resource) if kind in patching.TYPES else ()
        )
    text = await call.raw_body()
    return bodies.parse_yaml(text) if kind == patching.APPLY else bodies.parse_json(text)


async def delete(call: Call) -> web.StreamResponse:
    form = call.representation()
    write = call.write("Delete")
    wanted = await call.deletion()
    deletion = deleting.delete(
        call.registry,
        call.resource,
        call.target.namespace,
        call.name,
        options=wanted,
        write=_dry(write, wanted),
    )
    if deleting.is_answered_with_object(call.resource, deletion):
        return respond_object(call, deletion.object, representation=form)
    status = deleting.success(call.resource, deletion.object)
    return respond_object(call, status, representation=Representation(form.media_type))


def _dry(write: Any, options: Object) -> Any:
    if options.get("dryRun") and not write.dry_run:
        return type(write)(**{**vars(write), "dry_run": True})
    return write


async def delete_collection(call: Call) -> web.StreamResponse:
    form = call.representation()
    wanted = await call.deletion()
    write = _dry(call.write("Delete"), wanted)
    page = listing.list_page(call.registry.store, scope_of(call), listing.Options())
    gone = []
    for obj in page.objects:
        metadata = obj["metadata"]
        try:
            deletion = deleting.delete(
                call.registry,
                call.resource,
                metadata.get("namespace"),
                metadata["name"],
                options=wanted,
                write=write,
            )
        except errors.StatusError as error:
            if error.code != errors.NOT_FOUND:
                raise
        else:
            gone.append(deletion.object)
    body = await encode_list(call, gone, page.metadata(), form)
    return answers.respond(call.request, body, content_type=form.content_type)
