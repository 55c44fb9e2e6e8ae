"""Lists: which version, which page, which objects.

Law: reads the store. A page after the first is of the same version as the first, as long as the
history still knows it.
"""

import base64
import json
from dataclasses import dataclass
from typing import Any

from azrunbook.sandbox.kube import conversion, errors
from azrunbook.sandbox.kube.store import Key, Store
from azrunbook.sandbox.kube.watching import Scope

Object = dict[str, Any]
LONGEST_VERSION = 20
EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start "
    "a new list without the continue parameter, or use the continue token in this response to "
    "retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list."
)


@dataclass(frozen=True)
class Options:
    """The query of a list: `version` and `match` are resourceVersion and resourceVersionMatch."""

    limit: int = 0
    token: str = ""
    version: str = ""
    match: str = ""


@dataclass(frozen=True)
class Page:
    """One page of a list, in the version of the resource."""

    objects: list[Object]
    revision: int
    token: str = ""
    remaining: int | None = None

    def metadata(self) -> Object:
        found: Object = {"resourceVersion": str(self.revision)}
        if self.token:
            found["continue"] = self.token
        if self.remaining:
            found["remainingItemCount"] = self.remaining
        return found


def list_page(store: Store, scope: Scope, options: Options) -> Page:
    """List a page; raises StatusError 400, 410 or 504."""
    start: Key | None = None
    if options.token:
        revision, start = _read_token(options.token)
        stored = _list_for_token(store, scope, revision, start)
    else:
        revision, stored = _list_first(store, scope, options)
    if start is not None:
        stored = [obj for obj in stored if _key(obj) > start]
    found = [obj for obj in stored if scope.matches(obj)]
    rest = len(found) - options.limit
    if not options.limit or rest <= 0:
        return Page(conversion.all_to_version(scope.resource, found), revision)
    found = found[: options.limit]
    has_selector = scope.labels is not None or scope.fields is not None
    return Page(
        conversion.all_to_version(scope.resource, found),
        revision,
        _write_token(revision, _key(found[-1])),
        None if has_selector else rest,
    )


def _list_first(store: Store, scope: Scope, options: Options) -> tuple[int, list[Object]]:
    name = scope.resource.storage
    version = parse_version(options.version)
    if version is not None and version > store.revision:
        raise too_large(version, store.revision)
    if options.match == "Exact" and version:
        return version, store.list_at(name, scope.namespace, version)
    return store.revision, store.list_all(name, scope.namespace)


def parse_version(text: str) -> int | None:
    """A resourceVersion of the query; None if there is none; raises StatusError 400."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise errors.bad_request(
            f'invalid resource version: strconv.ParseUint: parsing "{text}": invalid syntax'
        )
    if len(text) > LONGEST_VERSION or int(text) >= 2**64:
        raise errors.bad_request(
            f'invalid resource version: strconv.ParseUint: parsing "{text}": value out of range'
        )
    return int(text)


def too_large(asked: int, current: int) -> errors.StatusError:
    """A version of the future: the client shall try again."""
    message = f"Timeout: Too large resource version: {asked}, current: {current}"
    cause = errors.Cause("ResourceVersionTooLarge", "Too large resource version")
    details = {"causes": [cause.to_json()], "retryAfterSeconds": 1}
    return errors.StatusError(504, "Timeout", message, details)


def _list_for_token(store: Store, scope: Scope, revision: int, start: Key) -> list[Object]:
    if revision < 0:
        return store.list_all(scope.resource.storage, scope.namespace)
    try:
        return store.list_at(scope.resource.storage, scope.namespace, revision)
    except errors.StatusError:
        error = errors.expired(EXPIRED)
        raise ContinueExpiredError(error, _write_token(-1, start)) from None


class ContinueExpiredError(errors.StatusError):
    """410 with a token to go on with, inconsistently."""

    def __init__(self, error: errors.StatusError, token: str) -> None:
        super().__init__(error.code, error.reason, error.message)
        self.token = token

    def to_status(self) -> Object:
        return {**super().to_status(), "metadata": {"continue": self.token}}


def _key(obj: Object) -> Key:
    metadata = obj["metadata"]
    return (metadata.get("namespace", ""), metadata["name"])


def _write_token(revision: int, key: Key) -> str:
    data = {"v": "meta.k8s.io/v1", "rv": revision, "start": "/".join(part for part in key if part)}
    text = json.dumps({**data, "key": list(key)}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_token(token: str) -> tuple[int, Key]:
    try:
        padded = token + "=" * (-len(token) % 4)
        data = json.loads(base64.urlsafe_b64decode(padded))
        namespace, name = data["key"]
        return int(data["rv"]), (str(namespace), str(name))
    except (ValueError, KeyError, TypeError):
        raise errors.bad_request("continue key is not valid: invalid continue token") from None
