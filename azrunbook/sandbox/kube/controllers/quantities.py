"""Resource quantities as exact numbers, and int-or-percent values.

Law: pure arithmetic. Fractions, not floats: 100m three times must equal 300m.
Source: k8s.io/apimachinery resource.Quantity, intstr.GetScaledValueFromIntOrPercent.
"""

import functools
import math
import re
from fractions import Fraction

_SUFFIXES: dict[str, Fraction] = {
    "": Fraction(1),
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "k": Fraction(10**3),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "T": Fraction(10**12),
    "P": Fraction(10**15),
    "E": Fraction(10**18),
    "Ki": Fraction(2**10),
    "Mi": Fraction(2**20),
    "Gi": Fraction(2**30),
    "Ti": Fraction(2**40),
    "Pi": Fraction(2**50),
    "Ei": Fraction(2**60),
}
_QUANTITY = re.compile(r"^([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d+)|([numkMGTPE]i?|[KMGTPE]i)?)$")


@functools.lru_cache(maxsize=4096)
def parse_quantity(value: str | float) -> Fraction:
    """Read `100m`, `1.5Gi`, `2`, `1e3`. Raises ValueError naming what was found."""
    match = _QUANTITY.match(str(value).strip())
    suffix = (match[3] or "") if match else ""
    if match is None or suffix not in _SUFFIXES:
        message = f"{value!r} is not a quantity; expected a number with a suffix, e.g. 250m or 1Gi"
        raise ValueError(message)
    number = Fraction(match[1])
    return number * Fraction(10) ** int(match[2]) if match[2] else number * _SUFFIXES[suffix]


def resolve_share(value: int | str | None, total: int, *, round_up: bool) -> int:
    """An int-or-percent of `total`: 25% of 10 is 2 or 3, 3 is 3, None is 0."""
    if value is None:
        return 0
    if isinstance(value, int):
        return value
    if not re.fullmatch(r"\d+%", value):
        message = f"{value!r} is neither a count nor a percentage, e.g. 1 or 25%"
        raise ValueError(message)
    share = Fraction(int(value[:-1]) * total, 100)
    return math.ceil(share) if round_up else math.floor(share)


def format_milli(value: Fraction) -> str:
    """The shortest exact form that `kubectl top` and HPA status use: `250m`, `2`."""
    milli = math.ceil(value * 1000)
    return str(milli // 1000) if milli % 1000 == 0 else f"{milli}m"
