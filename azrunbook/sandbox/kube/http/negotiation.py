"""Which form of an answer a client gets: JSON or YAML, whole, as a Table or as metadata only.

Law: pure. Protobuf is never spoken: a client that takes JSON as well gets JSON, else 406.
"""

from dataclasses import dataclass

from azrunbook.sandbox.kube import errors

JSON = "application/json"
YAML = "application/yaml"
ACCEPTED = (JSON, YAML, "application/vnd.kubernetes.protobuf", "application/cbor")
META = "meta.k8s.io"


@dataclass(frozen=True)
class Representation:
    """`shape` is "", "Table" or "PartialObjectMetadata"; `version` that of meta.k8s.io."""

    media_type: str = JSON
    shape: str = ""
    version: str = "v1"

    @property
    def content_type(self) -> str:
        return self.media_type


@dataclass(frozen=True)
class _Range:
    media_type: str
    parameters: dict[str, str]


def _ranges(accept: str) -> list[_Range]:
    found: list[tuple[float, int, _Range]] = []
    for index, text in enumerate(accept.split(",")):
        media_type, *rest = [part.strip() for part in text.split(";")]
        parameters = dict(part.partition("=")[::2] for part in rest)
        try:
            quality = float(parameters.pop("q", "1"))
        except ValueError:
            quality = 0.0
        if media_type and quality > 0:
            found.append((-quality, index, _Range(media_type.lower(), parameters)))
    return [item for _, _, item in sorted(found, key=lambda entry: entry[:2])]


MEDIA_TYPES = {"*/*": JSON, "application/*": JSON, JSON: JSON, YAML: YAML}
SHAPES = {
    "Table": "Table",
    "PartialObjectMetadata": "PartialObjectMetadata",
    "PartialObjectMetadataList": "PartialObjectMetadata",
}


def negotiate(accept: str) -> Representation:
    """The first form that can be given; raises StatusError 406."""
    for item in _ranges(accept or JSON):
        media_type = MEDIA_TYPES.get(item.media_type)
        if media_type is None:
            continue
        shape = item.parameters.get("as", "")
        if not shape:
            return Representation(media_type)
        version = item.parameters.get("v", "")
        is_known = item.parameters.get("g") == META and version in ("v1", "v1beta1")
        if shape in SHAPES and is_known:
            return Representation(media_type, SHAPES[shape], version)
    raise errors.not_acceptable(ACCEPTED)


def wants_aggregated(accept: str) -> str | None:
    """The version of aggregated discovery that is asked for, if one is known."""
    for item in _ranges(accept or JSON):
        parameters = item.parameters
        is_group = parameters.get("g") == "apidiscovery.k8s.io"
        if item.media_type == JSON and parameters.get("as") == "APIGroupDiscoveryList" and is_group:
            if parameters.get("v") in ("v2", "v2beta1"):
                return parameters["v"]
        elif item.media_type in MEDIA_TYPES and not parameters.get("as"):
            return None
    return None
