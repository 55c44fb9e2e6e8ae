"""What the stand-in for azurerm asks Azure by id; the api-version is found by the type."""

import threading

import arm_calls
import azurerm_words as words

_locks = {}
_guard = threading.Lock()


def lock_of(id_):
    """One change at a time of a resource and its children, as azurerm locks networks and caches."""
    with _guard:
        return _locks.setdefault("/".join(id_.lower().split("/")[:9]), threading.RLock())


VERSIONS = {type_.lower(): version for type_, version in words.VERSIONS.items()}


def version_of(id_):
    """The api-version of a resource's type, or of its namespace; of a group where it has none."""
    parts = id_.lower().rpartition("/providers/")[2].split("/")
    type_ = "/".join(parts[:2])
    return VERSIONS.get(type_) or VERSIONS.get(parts[0]) or VERSIONS["microsoft.resources"]


def get(id_):
    return arm_calls.get(id_, version_of(id_))


def change(method, id_, body=None):
    return arm_calls.change(method, id_, version_of(id_), body)
