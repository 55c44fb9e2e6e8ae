"""Shapes: what a value of a kind looks like, compiled from a schema for quick walks.

Law: pure data. A shape of a built-in kind comes from the OpenAPI definitions and is shared by all
clusters; a shape of a custom resource comes from its CustomResourceDefinition.
Decoding, patches, apply and field validation all walk shapes, so that none has a list of kinds.
"""

import enum
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from azrunbook.sandbox.kube import definitions

Schema = Mapping[str, Any]


class Form(enum.Enum):
    """The kinds of value that JSON of the API can hold."""

    STRUCT = "struct"
    MAP = "map"
    LIST = "list"
    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    BYTES = "bytes"
    TIME = "time"
    QUANTITY = "quantity"
    INT_OR_STRING = "int-or-string"
    ANY = "any"


@dataclass(eq=False, slots=True)
class Shape:
    """One node; which fields are meant depends on its form."""

    form: Form
    name: str = ""
    """Definition name of a struct, "" for a nameless one."""
    load_fields: Callable[[], dict[str, "Shape"]] | None = None
    loaded_fields: dict[str, "Shape"] | None = None
    element: "Shape | None" = None
    """Of a list's items or a map's values."""
    required: frozenset[str] = frozenset()
    is_atomic: bool = False
    """Apply owns it as a whole."""
    list_type: str = "atomic"
    map_keys: tuple[str, ...] = ()
    merge_key: str = ""
    strategies: frozenset[str] = frozenset()
    """Of strategic merge patch: merge, replace, retainKeys."""
    keeps_unknown: bool = False
    go: "GoStruct | None" = None
    format: str = ""
    schema: Schema = field(default_factory=dict)

    @property
    def fields(self) -> dict[str, "Shape"]:
        if self.loaded_fields is None:
            self.loaded_fields = self.load_fields() if self.load_fields else {}
        return self.loaded_fields


@dataclass(frozen=True, slots=True)
class GoStruct:
    """How Go writes a struct: what an absent field becomes, which zero values vanish."""

    dropped: frozenset[str]
    written: frozenset[str]
    structs: frozenset[str]
    required: frozenset[str]


ANY = Shape(Form.ANY, keeps_unknown=True, is_atomic=True)
META = "io.k8s.apimachinery.pkg.apis.meta.v1."
SPECIAL = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": Form.QUANTITY,
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": Form.INT_OR_STRING,
    META + "Time": Form.TIME,
    META + "MicroTime": Form.TIME,
    META + "FieldsV1": Form.ANY,
    "io.k8s.apimachinery.pkg.runtime.RawExtension": Form.ANY,
}
SCALARS = {
    "string": Form.STRING,
    "integer": Form.INTEGER,
    "number": Form.NUMBER,
    "boolean": Form.BOOLEAN,
}


def _type_of(schema: Schema) -> str:
    kind = schema.get("type", "")
    return str(kind[0] if isinstance(kind, list) else kind)


@functools.cache
def defined(name: str) -> Shape:
    """The shape of a definition; its fields are compiled when they are first asked for."""
    schema = definitions.load()[name]
    if name in SPECIAL:
        return Shape(SPECIAL[name], name, is_atomic=True, keeps_unknown=True)
    if "properties" not in schema:
        return _compile(schema, name)
    return Shape(
        Form.STRUCT,
        name,
        load_fields=functools.partial(_fields, name),
        required=frozenset(schema.get("required", ())),
        is_atomic=schema.get("x-kubernetes-map-type") == "atomic",
        go=_go_struct(name),
    )


def _fields(name: str) -> dict[str, Shape]:
    properties = definitions.load()[name]["properties"]
    return {key: _compile(schema, name) for key, schema in properties.items()}


def _reference(schema: Schema) -> str | None:
    reference = schema.get("$ref")
    return str(reference).removeprefix(definitions.PREFIX) if reference else None


def _compile(schema: Schema, owner: str) -> Shape:
    name = _reference(schema)
    if name is not None:
        shape = defined(name)
        strategies = _strategies(schema)
        if strategies or schema.get("x-kubernetes-map-type") == "atomic":
            return Shape(
                shape.form,
                name,
                load_fields=lambda: shape.fields,
                required=shape.required,
                is_atomic=shape.is_atomic or schema.get("x-kubernetes-map-type") == "atomic",
                strategies=strategies,
                go=shape.go,
            )
        return shape
    kind = _type_of(schema)
    if kind == "array":
        return _compile_list(schema, owner)
    if kind == "object" and "additionalProperties" in schema:
        return Shape(
            Form.MAP,
            element=_compile(schema["additionalProperties"], owner),
            is_atomic=schema.get("x-kubernetes-map-type") == "atomic",
            strategies=_strategies(schema),
        )
    if kind in SCALARS:
        form = Form.BYTES if schema.get("format") == "byte" else SCALARS[kind]
        return Shape(form, owner, format=str(schema.get("format", "")))
    return ANY


def _compile_list(schema: Schema, owner: str) -> Shape:
    return Shape(
        Form.LIST,
        element=_compile(schema.get("items") or {}, owner),
        list_type=str(schema.get("x-kubernetes-list-type", "atomic")),
        map_keys=tuple(schema.get("x-kubernetes-list-map-keys", ())),
        merge_key=str(schema.get("x-kubernetes-patch-merge-key", "")),
        strategies=_strategies(schema),
    )


def _strategies(schema: Schema) -> frozenset[str]:
    text = schema.get("x-kubernetes-patch-strategy", "")
    return frozenset(part for part in text.split(",") if part)


def _go_struct(name: str) -> GoStruct:
    go = definitions.go_types()
    short = definitions.short_name(name)
    schema = definitions.load()[name]
    required = set(schema.get("required", ()))
    kept = set(go["kept_when_zero"].get(short, ()))
    dropped, structs = (
        set(go["dropped_in"].get(short, ())),
        set(go["always_structs"].get(short, ())),
    )
    written = set(go["always_written"].get(short, ()))
    for key, part in schema["properties"].items():
        kind = _type_of(part)
        if key in ("metadata", "spec", "status") and "$ref" in part:
            structs.add(key)
        elif key in required:
            if key not in structs:
                written.add(key)
        elif key in kept or key in written:
            continue
        elif kind in ("string", "array", "object") or key in go["dropped_when_zero"]:
            dropped.add(key)
    written -= set(go["never_written"].get(short, ()))
    return GoStruct(
        frozenset(dropped - required - kept),
        frozenset(written),
        frozenset(structs),
        frozenset(required),
    )


def for_kind(api_version: str, kind: str) -> Shape:
    """The shape of a built-in kind; ANY when the definitions do not know it."""
    name = definitions.by_kind().get((api_version, kind))
    return defined(name) if name else ANY


def object_meta() -> Shape:
    return defined(META + "ObjectMeta")


def from_crd(schema: Schema | None) -> Shape:
    """The shape of a custom resource: its schema, with the type and object metadata added."""
    shape = from_schema(schema or {"x-kubernetes-preserve-unknown-fields": True})
    fields = dict(shape.fields)
    fields["apiVersion"] = fields["kind"] = Shape(Form.STRING)
    fields["metadata"] = object_meta()
    shape.loaded_fields = fields
    return shape


def from_schema(schema: Schema) -> Shape:
    """Compile a structural schema of a CustomResourceDefinition."""
    kind = schema.get("type", "")
    keeps = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    if schema.get("x-kubernetes-int-or-string"):
        return Shape(Form.INT_OR_STRING, schema=schema)
    if kind == "array":
        return Shape(
            Form.LIST,
            element=from_schema(schema.get("items") or {}),
            list_type=str(schema.get("x-kubernetes-list-type", "atomic")),
            map_keys=tuple(schema.get("x-kubernetes-list-map-keys", ())),
            schema=schema,
        )
    if kind in SCALARS:
        return Shape(SCALARS[kind], schema=schema)
    extra = schema.get("additionalProperties")
    is_atomic = schema.get("x-kubernetes-map-type") == "atomic"
    if isinstance(extra, Mapping):
        return Shape(Form.MAP, element=from_schema(extra), is_atomic=is_atomic, schema=schema)
    if extra is True:
        return Shape(Form.MAP, element=ANY, is_atomic=is_atomic, schema=schema)
    properties = schema.get("properties") or {}
    fields = {key: from_schema(part) for key, part in properties.items()}
    if schema.get("x-kubernetes-embedded-resource"):
        fields = {
            "apiVersion": Shape(Form.STRING),
            "kind": Shape(Form.STRING),
            "metadata": object_meta(),
            **fields,
        }
    return Shape(
        Form.STRUCT,
        loaded_fields=fields,
        required=frozenset(schema.get("required", ())),
        is_atomic=is_atomic,
        keeps_unknown=keeps,
        schema=schema,
    )
