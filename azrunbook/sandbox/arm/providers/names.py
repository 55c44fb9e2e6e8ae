"""Names that the whole cloud shares: who has one, and what a check of one answers. Pure.

Storage accounts, servers, caches and registries are host names; one that any tenant has is taken.
"""

import re
from typing import Any

from azrunbook.sandbox.arm import errors, services

Json = dict[str, Any]


def is_taken(parts: services.Services, type_: str, name: str, *, without: str = "") -> bool:
    """Whether a resource of the type, or somebody else's, has the name; ``without`` is an id."""
    if name.lower() in {taken.lower() for taken in parts.settings.taken_names}:
        return True
    return any(
        one["name"].lower() == name.lower() and one["id"].lower() != without.lower()
        for one in parts.store.list_by_type(type_)
    )


def availability(parts: services.Services, type_: str, name: str, pattern: str) -> Json:
    """Answer a name check in the shape that most providers use."""
    if not re.fullmatch(pattern, name):
        return _refused("Invalid", f"'{name}' is invalid: expected it to match {pattern}.")
    if is_taken(parts, type_, name):
        return _refused("AlreadyExists", f"The name {name} is already in use.")
    return {"nameAvailable": True}


def require_free(
    parts: services.Services, type_: str, name: str, id_: str, *, status: int, code: str
) -> None:
    """Refuse a name that another resource has.

    Raises:
        errors.ArmError: with that status and code.
    """
    if is_taken(parts, type_, name, without=id_):
        raise errors.ArmError(status, code, f"The name '{name}' is already taken.")


def _refused(reason: str, message: str) -> Json:
    return {"nameAvailable": False, "reason": reason, "message": message}
