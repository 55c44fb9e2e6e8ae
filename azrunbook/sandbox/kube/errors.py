"""Errors of the API server: each is already the `Status` that goes over the wire.

Law: knows no HTTP and no storage. Whoever raises one has said everything a client will read.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
NOT_FOUND = 404
GONE = 410


@dataclass(frozen=True)
class Cause:
    """One field of an object that is wrong: how, what is said about it, where."""

    reason: str
    message: str
    field: str = ""

    def to_json(self) -> Object:
        body: Object = {"reason": self.reason, "message": self.message}
        if self.field:
            body["field"] = self.field
        return body


class StatusError(Exception):
    """A refused request.

    `details` None means that the answer has no details at all; an empty mapping is sent as `{}`.
    """

    def __init__(
        self, code: int, reason: str, message: str, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    def to_status(self) -> Object:
        status: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        if not self.reason:
            del status["reason"]
        if self.details is not None:
            status["details"] = dict(self.details)
        status["code"] = self.code
        return status


def qualified(plural: str, group: str) -> str:
    return f"{plural}.{group}" if group else plural


def _details(plural: str, group: str, name: str = "") -> Object:
    details: Object = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    details["kind"] = plural
    return details


def not_found(plural: str, group: str, name: str) -> StatusError:
    message = f'{qualified(plural, group)} "{name}" not found'
    return StatusError(404, "NotFound", message, _details(plural, group, name))


def already_exists(plural: str, group: str, name: str) -> StatusError:
    message = f'{qualified(plural, group)} "{name}" already exists'
    return StatusError(409, "AlreadyExists", message, _details(plural, group, name))


def generate_name_conflict(plural: str, group: str, name: str) -> StatusError:
    message = (
        f'{qualified(plural, group)} "{name}" already exists, '
        "the server was not able to generate a unique name for the object"
    )
    return StatusError(409, "AlreadyExists", message, _details(plural, group, name))


MODIFIED = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


def conflict(plural: str, group: str, name: str, why: str = MODIFIED) -> StatusError:
    message = f'Operation cannot be fulfilled on {qualified(plural, group)} "{name}": {why}'
    return StatusError(409, "Conflict", message, _details(plural, group, name))


def forbidden(plural: str, group: str, name: str, why: str) -> StatusError:
    what = qualified(plural, group)
    message = f'{what} "{name}" is forbidden: {why}' if name else f"{what} is forbidden: {why}"
    return StatusError(403, "Forbidden", message, _details(plural, group, name))


def invalid(kind: str, group: str, name: str, causes: Sequence[Cause]) -> StatusError:
    """422 with one cause per wrong field, in the order in which they were found."""
    said = [f"{cause.field}: {cause.message}" if cause.field else cause.message for cause in causes]
    text = said[0] if len(said) == 1 else "[" + ", ".join(said) + "]"
    details: Object = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    details["kind"] = kind
    details["causes"] = [cause.to_json() for cause in causes]
    message = f'{qualified(kind, group)} "{name}" is invalid: {text}'
    return StatusError(422, "Invalid", message, details)


def rejected() -> StatusError:
    """422 without a reason in the fields: a JSON patch whose `test` failed, for one."""
    message = "the server rejected our request due to an error in our request"
    return StatusError(422, "Invalid", message, {})


def unusable_patch(shown: str, why: str) -> StatusError:
    """422 for a patch whose outcome is no object of its kind; it names neither kind nor name."""
    quoted = json.dumps(shown, ensure_ascii=False)
    cause = Cause("FieldValueInvalid", f"Invalid value: {quoted}: {why}", "patch")
    details = {"causes": [cause.to_json()]}
    return StatusError(422, "Invalid", f' "" is invalid: patch: {cause.message}', details)


def bad_request(message: str) -> StatusError:
    return StatusError(400, "BadRequest", message)


def method_not_allowed() -> StatusError:
    message = "the server does not allow this method on the requested resource"
    return StatusError(405, "MethodNotAllowed", message, {})


def unsupported_media_type(accepted: Sequence[str] = ()) -> StatusError:
    message = "415: Unsupported Media Type"
    if accepted:
        message = (
            "the body of the request was in an unknown format - accepted media types include: "
            + ", ".join(accepted)
        )
    return StatusError(415, "UnsupportedMediaType", message, {})


def not_acceptable(accepted: Sequence[str]) -> StatusError:
    message = "only the following media types are accepted: " + ", ".join(accepted)
    return StatusError(406, "NotAcceptable", message)


def unknown_path() -> StatusError:
    message = "the server could not find the requested resource"
    return StatusError(404, "NotFound", message, {})


def expired(message: str) -> StatusError:
    return StatusError(410, "Expired", message)


def too_old(asked: int, current: int) -> StatusError:
    return expired(f"too old resource version: {asked} ({current})")


def unauthorized() -> StatusError:
    return StatusError(401, "Unauthorized", "Unauthorized")


def too_large(limit_bytes: int) -> StatusError:
    message = f"limit is {limit_bytes}"
    return StatusError(413, "RequestEntityTooLarge", f"Request entity too large: {message}")


def timed_out() -> StatusError:
    message = "Timeout: request did not complete within the allotted timeout"
    return StatusError(504, "Timeout", message, {})


def internal(message: str) -> StatusError:
    details = {"causes": [{"message": message}]}
    return StatusError(500, "InternalError", f"Internal error occurred: {message}", details)
