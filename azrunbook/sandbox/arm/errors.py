"""Errors that are already the wire answer: status, code, message, headers and body shape.

No HTTP library here: the server turns an :class:`ArmError` into bytes without deciding anything.
Two shapes exist in Azure. ARM and most resource providers wrap the error in ``{"error": …}``; the
container service answers flat, with ``subcode`` and ``details: null``. Clients must read both, so
both are emulated.
"""

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]


class ArmError(Exception):
    """An answer of status 400 or above.

    Attributes:
        status: the HTTP status.
        code: Azure's error code, the part clients decide by.
        message: the text for people.
        headers: added to the answer, e.g. ``Retry-After``.
    """

    flat = False

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        target: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.target = target
        self.headers = dict(headers or {})

    def error(self) -> Json:
        """Return the error object as it also stands in a failed operation's status."""
        body: Json = {"code": self.code, "message": self.message}
        if self.target:
            body["target"] = self.target
        return body

    def body(self) -> Json:
        """Return the whole answer body."""
        return {"error": self.error()}


class AksError(ArmError):
    """An error of the container service, which answers without the ``error`` envelope."""

    flat = True

    def body(self) -> Json:
        """Return the flat body the container service sends."""
        body: Json = {"code": self.code, "details": None, "message": self.message, "subcode": ""}
        if self.target:
            body["target"] = self.target
        return body


def bad_request(message: str, *, code: str = "BadRequest", target: str | None = None) -> ArmError:
    return ArmError(400, code, message, target=target)


def group_not_found(name: str) -> ArmError:
    return ArmError(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")


def resource_not_found(type_: str, name: str, group: str | None) -> ArmError:
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{type_}/{name}' under resource group '{group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def parent_not_found(type_: str, name: str, parent: str) -> ArmError:
    return ArmError(
        404,
        "ParentResourceNotFound",
        f"Failed to perform the write on resource '{name}' of type '{type_}', "
        f"because the parent resource '{parent}' could not be found.",
    )


def retry_headers(seconds: float) -> dict[str, str]:
    """Return the header that asks a client to wait.

    Azure's ``Retry-After`` has whole seconds; a typed Azure SDK crashes on a fraction. Below one
    second the answer uses ``retry-after-ms``, which the same SDKs honour.
    """
    if seconds >= 1:
        return {"Retry-After": str(round(seconds))}
    return {"retry-after-ms": str(max(1, round(seconds * 1000)))}
