"""From what a client sent to an object of this resource: kind, version, fields, strictness."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from azrunbook.sandbox.kube import conversion, decoding, errors, shapes
from azrunbook.sandbox.kube.crds import pruning
from azrunbook.sandbox.kube.resources import Resource
from azrunbook.sandbox.kube.shapes import Shape
from azrunbook.sandbox.kube.writes import Write

if TYPE_CHECKING:
    from azrunbook.sandbox.kube.registry import Registry

Object = dict[str, Any]


def shape_of(registry: "Registry", resource: Resource) -> Shape:
    """The shape of a resource's objects; compiled once for a custom resource's version."""
    if resource.custom is None:
        return shapes.for_kind(resource.api_version, resource.kind)
    key = (resource.group, resource.version, resource.plural)
    found = registry.shapes.get(key)
    if found is None or found[0] is not resource.custom:
        schema = (resource.custom.get("schema") or {}).get("openAPIV3Schema")
        found = registry.shapes[key] = (resource.custom, shapes.from_crd(schema))
    shape: Shape = found[1]
    return shape


def stored_shape(registry: "Registry", resource: Resource) -> Shape:
    """The shape of the stored form."""
    if resource.custom is not None:
        return shape_of(registry, resource)
    return shapes.for_kind(resource.storage_api_version, resource.kind)


def read(
    registry: "Registry",
    resource: Resource,
    body: Any,
    write: Write,
    complaints: Sequence[str] = (),
) -> Object:
    """A new object in its stored form, not yet defaulted; raises StatusError 400.

    `complaints` is what is already to be said of it: of the patch that it comes from.
    """
    _require_kind(registry, resource, body)
    report = decoding.Report(list(complaints))
    shape = shape_of(registry, resource)
    if resource.custom is not None:
        obj = pruning.prune(shape, body, report)
    else:
        obj = decoding.decode(
            shape, body, kind=resource.kind, version=resource.version, report=report
        )
    obj["apiVersion"], obj["kind"] = resource.api_version, resource.kind
    obj.setdefault("metadata", {})
    complain(resource, report, write)
    return conversion.to_storage(resource, obj)


def complain(resource: Resource, report: decoding.Report, write: Write) -> None:
    """Refuse or warn about what strict decoding found."""
    if not report.complaints or write.field_validation == "Ignore":
        return
    if write.field_validation == "Strict":
        raise decoding.strict_error(resource.kind, resource.version, report.complaints)
    for text in report.complaints:
        write.warn(text)


def _require_kind(registry: "Registry", resource: Resource, body: Any) -> None:
    if not isinstance(body, dict):
        raise errors.bad_request(
            f"couldn't get version/kind; json parse error: json: cannot unmarshal "
            f"{decoding.GO_NAMES.get(type(body), 'value')} into Go value of type struct"
        )
    kind = body.get("kind") or resource.kind
    api_version = body.get("apiVersion") or resource.api_version
    if (kind, api_version) == (resource.kind, resource.api_version):
        return
    version = str(api_version).rpartition("/")[2]
    start = f'{kind} in version "{version}" cannot be handled as a {resource.kind}: '
    if resource.custom is not None or registry.resources.find_kind(api_version, kind) is None:
        if kind == resource.kind:
            raise errors.bad_request(
                f"the API version in the data ({api_version}) does not match the expected API "
                f"version ({resource.api_version})"
            )
        raise errors.bad_request(
            start + f'no kind "{kind}" is registered for version "{api_version}" in scheme '
            '"pkg/api/legacyscheme/scheme.go:30"'
        )
    if kind == resource.kind and str(api_version).partition("/")[0] == resource.group:
        return
    package = resource.group.partition(".")[0] or "core"
    raise errors.bad_request(
        start + f"converting ({version}.{kind}) to ({package}.{resource.kind}): unknown conversion"
    )
