"""What is wrong with the schedule of a cron job, in the words of the server's parser."""

DESCRIPTORS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
Bounds = tuple[int, int, tuple[str, ...], int]
FIELDS: tuple[Bounds, ...] = (
    (0, 59, (), 0),
    (0, 23, (), 0),
    (1, 31, (), 0),
    (1, 12, MONTHS, 1),
    (0, 6, DAYS, 0),
)
"""Lowest, highest, names, and the number of the first name, of each field."""


def problems(schedule: str) -> list[str]:
    """Every complaint about a schedule that is not empty."""
    found = []
    is_zoned = schedule.startswith(("TZ=", "CRON_TZ="))
    text = schedule.partition(" ")[2].strip() if is_zoned else schedule
    problem = _parse(text)
    if problem:
        found.append(problem)
    if "TZ" in schedule:
        found.append("cannot use TZ or CRON_TZ in schedule, use timeZone field instead")
    return found


def _parse(schedule: str) -> str:
    if schedule.startswith("@"):
        return _parse_descriptor(schedule)
    fields = schedule.split()
    if len(fields) != len(FIELDS):
        return f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]"
    for text, bounds in zip(fields, FIELDS, strict=True):
        for part in filter(None, text.split(",")):
            problem = _parse_range(part, bounds)
            if problem:
                return problem
    return ""


def _parse_descriptor(schedule: str) -> str:
    if schedule in DESCRIPTORS:
        return ""
    if schedule.startswith("@every "):
        length = schedule.removeprefix("@every ")
        if length and length[-1] in "smh" and length[0].isdigit():
            return ""
        return f'failed to parse duration {schedule}: time: invalid duration "{length}"'
    return f"unrecognized descriptor: {schedule}"


def _parse_range(part: str, bounds: Bounds) -> str:
    """One range, `low[-high][/step]`; returns what is wrong with it."""
    lowest, highest = bounds[:2]
    base, *steps = part.split("/")
    ends = base.split("-")
    if ends[0] in ("*", "?"):
        start, end = lowest, highest
    else:
        numbers: list[int] = []
        for text in ends:
            number, problem = _number(text, bounds)
            if problem:
                return problem
            numbers.append(number)
        if len(numbers) > 2:  # noqa: PLR2004 - the two ends of a range
            return f"too many hyphens: {part}"
        start, end = numbers[0], numbers[-1]
    step = 1
    if len(steps) > 1:
        return f"too many slashes: {part}"
    if steps:
        step, problem = _number(steps[0], (0, 0, (), 0))
        if problem:
            return problem
        end = highest if len(ends) == 1 else end
    return _check(part, (start, end, step), bounds)


def _check(part: str, found: tuple[int, int, int], bounds: Bounds) -> str:
    (start, end, step), (lowest, highest) = found, bounds[:2]
    if start < lowest:
        return f"beginning of range ({start}) below minimum ({lowest}): {part}"
    if end > highest:
        return f"end of range ({end}) above maximum ({highest}): {part}"
    if start > end:
        return f"beginning of range ({start}) beyond end of range ({end}): {part}"
    return "" if step else f"step of range should be a positive number: {part}"


def _number(text: str, bounds: Bounds) -> tuple[int, str]:
    _, _, words, first = bounds
    if text.lower() in words:
        return words.index(text.lower()) + first, ""
    digits = text.removeprefix("-").removeprefix("+")
    if not (digits.isdigit() and digits.isascii()):
        return 0, f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax'
    if text.startswith("-"):
        return 0, f"negative number ({text}) not allowed: {text}"
    return int(digits), ""
