"""The options of a request: what its query (and the body of a deletion) says, checked.

Law: pure; raises what the real server answers. Rules of ListOptions, DeleteOptions, CreateOptions
and PatchOptions are those of its package `apis/meta`.
"""

from collections.abc import Mapping
from typing import Any

from azrunbook.sandbox.kube import decoding, errors, patching, shapes
from azrunbook.sandbox.kube.errors import Cause
from azrunbook.sandbox.kube.validation import causes

Object = dict[str, Any]
Query = Mapping[str, str]
FIELD_VALIDATIONS = ("", "Ignore", "Strict", "Warn")
INCLUDED = ("", "Metadata", "Object", "None")
PROPAGATIONS = ("Foreground", "Background", "Orphan")
META = "io.k8s.apimachinery.pkg.apis.meta.v1."
LONGEST_MANAGER = 128
INT64 = 2**63
NOT_OLDER, EXACT = "NotOlderThan", "Exact"


def flag(query: Query, name: str) -> bool:
    """Whether an option is on: any value but `false` and `0` turns it on."""
    return name in query and query[name].lower() not in ("false", "0")


def integer(query: Query, name: str) -> int:
    """A number, 0 if there is none; raises StatusError 400."""
    text = query.get(name, "")
    if not text:
        return 0
    digits = text[1:] if text[0] in "+-" else text
    if not (digits.isascii() and digits.isdigit()):
        raise errors.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    if len(digits) > len(str(INT64)) or not -INT64 <= int(text) < INT64:
        raise errors.bad_request(f'strconv.ParseInt: parsing "{text}": value out of range')
    return int(text)


def refuse(kind: str, found: list[Cause]) -> None:
    """Raise StatusError 422 if there are causes; `kind` is ListOptions, CreateOptions, ..."""
    if found:
        raise errors.invalid(kind, "meta.k8s.io", "", found)


def require_list(query: Query) -> None:
    """Check the options of a list against each other; raises StatusError 400 or 422."""
    integer(query, "timeoutSeconds")
    name, match = "resourceVersionMatch", query.get("resourceVersionMatch", "")
    found = []
    if match and not query.get("resourceVersion"):
        why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        found.append(causes.forbidden(name, why))
    if match and query.get("continue"):
        why = "resourceVersionMatch is forbidden when continue is provided"
        found.append(causes.forbidden(name, why))
    if match and match not in (EXACT, NOT_OLDER):
        found.append(causes.unsupported(name, match, (EXACT, NOT_OLDER, "")))
    if match == EXACT and query.get("resourceVersion") == "0":
        why = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        found.append(causes.forbidden(name, why))
    if "sendInitialEvents" in query:
        found.append(
            causes.forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list")
        )
    refuse("ListOptions", found)
    if query.get("continue") and query.get("resourceVersion", "0") not in ("", "0"):
        raise errors.bad_request("specifying resource version is not allowed when using continue")


def require_watch(query: Query) -> None:
    """Check the options of a watch against each other; raises StatusError 422."""
    name, match = "resourceVersionMatch", query.get("resourceVersionMatch", "")
    found = []
    if "sendInitialEvents" in query:
        if match != NOT_OLDER:
            why = f"sendInitialEvents requires setting resourceVersionMatch to {NOT_OLDER}"
            found.append(causes.forbidden(name, why))
    elif match:
        why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        found.append(causes.forbidden(name, why))
    if match and match != NOT_OLDER:
        found.append(causes.unsupported(name, match, (NOT_OLDER,)))
    if match and query.get("continue"):
        why = "resourceVersionMatch is forbidden when continue is provided"
        found.append(causes.forbidden(name, why))
    refuse("ListOptions", found)


def require_write(query: Query, action: str, content_type: str) -> None:
    """Check the options of a write; raises StatusError 422. `action` is Create, Update, ..."""
    found = []
    manager = query.get("fieldManager", "")
    if action == "Patch" and content_type == patching.APPLY:
        if not manager:
            found.append(causes.required("fieldManager", "is required for apply patch"))
    elif action == "Patch" and "force" in query:
        found.append(causes.forbidden("force", "may not be specified for non-apply patch"))
    if len(manager.encode()) > LONGEST_MANAGER:
        found.append(causes.too_long("fieldManager", LONGEST_MANAGER))
    found += _unprintable(manager)
    found += _bad_dry_runs(query.getall("dryRun", []) if hasattr(query, "getall") else [])
    strictness = query.get("fieldValidation", "")
    if strictness not in FIELD_VALIDATIONS:
        found.append(causes.unsupported("fieldValidation", strictness, FIELD_VALIDATIONS))
    refuse(f"{action}Options", found)


def _unprintable(manager: str) -> list[Cause]:
    """One cause for each character that cannot be shown, with its place in bytes."""
    found = []
    for index, char in enumerate(manager):
        if not char.isprintable():
            position = len(manager[:index].encode())
            why = f"invalid character U+{ord(char):04X} (at position {position})"
            found.append(causes.invalid("fieldManager", manager, why))
    return found


def _bad_dry_runs(values: list[str]) -> list[Cause]:
    if set(values) <= {"All"}:
        return []
    return [causes.unsupported("dryRun", values, ("All",))]


def require_table(query: Query) -> None:
    """Check the options of a Table; raises StatusError 400."""
    include = query.get("includeObject", "")
    if include not in INCLUDED:
        raise errors.bad_request(
            f'Unable to convert to Table as requested: includeObject: Invalid value: "{include}": '
            "must be 'Metadata', 'Object', 'None', or empty"
        )


def deletion(query: Query, body: Any) -> Object:
    """The options in the body of a deletion with those of the query on top.

    Raises StatusError 400 and 422.
    """
    if not isinstance(body, dict):
        raise errors.bad_request("DeleteOptions in the body is not an object")
    if body.get("kind", "DeleteOptions") != "DeleteOptions":
        raise errors.bad_request("decoded object cannot be converted to DeleteOptions")
    report = decoding.Report()
    shape = shapes.defined(META + "DeleteOptions")
    found = decoding.decode(
        shape, body, kind="DeleteOptions", version="v1", report=report, fill=False
    )
    if "propagationPolicy" in query:
        found["propagationPolicy"] = query["propagationPolicy"]
    if "orphanDependents" in query:
        found["orphanDependents"] = flag(query, "orphanDependents")
    if "gracePeriodSeconds" in query:
        found["gracePeriodSeconds"] = integer(query, "gracePeriodSeconds")
    if query.get("dryRun") == "All":
        found["dryRun"] = ["All"]
    _require_deletion(found)
    return found


def _require_deletion(options: Object) -> None:
    policy = options.get("propagationPolicy")
    found = []
    if policy is not None and "orphanDependents" in options:
        why = "orphanDependents and deletionPropagation cannot be both set"
        found.append(causes.invalid("propagationPolicy", policy, why))
    if policy is not None and policy not in PROPAGATIONS:
        found.append(causes.unsupported("propagationPolicy", policy, (*PROPAGATIONS, "nil")))
    found += _bad_dry_runs(options.get("dryRun") or [])
    refuse("DeleteOptions", found)
