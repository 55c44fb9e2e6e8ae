"""Lists in pages, as ARM answers them: ``value`` and, when there is more, ``nextLink``. Pure.

A client that reads the first page only has not read the list; a small page size shows it.
"""

import urllib.parse
from typing import Any

from azrunbook.sandbox.arm import errors, routing

_TOKEN = "$skiptoken"  # noqa: S105 - the name of a query parameter


def answer(call: routing.Call, values: list[Any], size: int) -> routing.Answer:
    """Answer one page of a list.

    Raises:
        errors.ArmError: 400, a token that no page of this list has.
    """
    text = call.query.get(_TOKEN, "0")
    start = int(text) if text.isdecimal() else -1
    if not 0 <= start <= len(values):
        raise errors.bad_request(f"The skip token '{text}' is invalid.", code="InvalidSkipToken")
    body: dict[str, Any] = {"value": values[start : start + size]}
    if start + size < len(values):
        query = {**call.query, _TOKEN: str(start + size)}
        body["nextLink"] = f"{call.origin}{call.path}?{urllib.parse.urlencode(query)}"
    return routing.Answer(200, body)
