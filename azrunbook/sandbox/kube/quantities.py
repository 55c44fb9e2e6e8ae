"""Quantities as the server writes them: in the shortest form without a fraction.

Law: pure. The value is rounded up to a billionth; the kind of suffix (1000s, 1024s, exponent) is
kept, unless 1024s cannot say the value.
"""

import re
from fractions import Fraction

PATTERN = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([KMGTPE]i|[numkMGTPE])?)")
DECIMAL = {-9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E"}
BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
POWERS = {suffix: Fraction(10) ** power for power, suffix in DECIMAL.items()}
POWERS |= {suffix: Fraction(1024) ** index for index, suffix in enumerate(BINARY) if suffix}
LOWEST = -9
STEP = 3
KIBI = 1024
MOST_DIGITS = 30
"""Exponents beyond are cut: no quantity of the server is that large."""


def canonical(text: str) -> str:
    """The quantity in the form of the server; raises ValueError for text that is none."""
    match = PATTERN.fullmatch(text)
    if match is None:
        raise ValueError(text)
    number, exponent, suffix = match.groups()
    if exponent:
        power = max(-MOST_DIGITS, min(MOST_DIGITS, int(exponent[1:])))
        value = Fraction(number) * Fraction(10) ** power
    else:
        value = Fraction(number) * POWERS[suffix or ""]
    if exponent:
        return _decimal(value, with_exponent=True)
    return written(value, is_binary=(suffix or "").endswith("i"))


def written(value: Fraction, *, is_binary: bool) -> str:
    """A value with a suffix of 1024s, if that can say it, or of 1000s."""
    if is_binary and abs(value) >= KIBI and value.denominator == 1:
        return _binary(value.numerator)
    return _decimal(value)


def _decimal(value: Fraction, *, with_exponent: bool = False) -> str:
    scaled = value * 10**-LOWEST
    whole = -(-scaled.numerator // scaled.denominator) if value >= 0 else -(-scaled // 1)
    mantissa, power = int(whole), LOWEST
    if mantissa == 0:
        return "0"
    while mantissa % 10**STEP == 0 and (with_exponent or power < max(DECIMAL)):
        mantissa, power = mantissa // 10**STEP, power + STEP
    if with_exponent:
        return f"{mantissa}e{power}" if power else str(mantissa)
    return f"{mantissa}{DECIMAL[power]}"


def _binary(value: int) -> str:
    index = 0
    while value % KIBI == 0 and index < len(BINARY) - 1:
        value, index = value // KIBI, index + 1
    return f"{value}{BINARY[index]}"
