"""How long until something is due.

Law: pure; the clock is given. Reading and writing instants is `times`'.
"""

import datetime as dt

from azrunbook.sandbox.kube import times


def seconds_until(text: str, *, plus_seconds: float, at: dt.datetime) -> float:
    """Seconds from `at` to `plus_seconds` after the written instant; negative when it is past."""
    return (times.parse(text) - at).total_seconds() + plus_seconds
