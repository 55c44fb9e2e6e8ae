"""Cron schedules: five fields, names, steps, lists, the @hourly family and @every.

Law: pure. Source: documentation "CronJob", robfig/cron standard parser: when both day fields are
restricted, either one is enough; what the clock leaves out in spring does not run, what it shows
twice in autumn runs twice.
"""

import datetime as dt
import functools
import re
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass

_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_EVERY = "@every "
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_FIELDS = 5
_FARTHEST_DAYS = 5 * 366
MANY = 100


@dataclass(frozen=True)
class Schedule:
    """The allowed values of each field; days of the week count from Sunday = 0."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    is_any_day: bool
    is_any_weekday: bool
    every_seconds: float = 0.0
    """Of `@every 90m`: the distance from one instant to the next, whatever the clock shows."""

    def allows_day(self, day: dt.date) -> bool:
        in_month = day.day in self.days
        in_week = day.isoweekday() % 7 in self.weekdays
        if day.month not in self.months:
            return False
        if self.is_any_day or self.is_any_weekday:
            return in_month and in_week
        return in_month or in_week


@functools.lru_cache(maxsize=256)
def parse(text: str) -> Schedule:
    """Read a schedule. Raises ValueError naming the field that is wrong."""
    if text.startswith(_EVERY):
        none: frozenset[int] = frozenset()
        seconds = _duration(text.removeprefix(_EVERY))
        return Schedule(none, none, none, none, none, True, True, seconds)
    fields = _MACROS.get(text.strip(), text).split()
    if len(fields) != _FIELDS:
        message = (
            f"the schedule {text!r} has {len(fields)} fields; expected 5: minute hour "
            "day-of-month month day-of-week, e.g. '*/5 * * * *'"
        )
        raise ValueError(message)
    minute, hour, day, month, weekday = fields
    weekdays = frozenset(value % 7 for value in _values(weekday, 0, 7, _DAYS, 0))
    return Schedule(
        minutes=_values(minute, 0, 59),
        hours=_values(hour, 0, 23),
        days=_values(day, 1, 31),
        months=_values(month, 1, 12, _MONTHS, 1),
        weekdays=weekdays,
        is_any_day=day[0] in "*?",
        is_any_weekday=weekday[0] in "*?",
    )


def _duration(text: str) -> float:
    """Seconds of a duration such as `1h30m`; at least one, whole."""
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        message = f"{text!r} is no duration, e.g. 1h30m"
        raise ValueError(message)
    return max(1.0, float(int(sum(float(number) * _UNITS[unit] for number, unit in parts))))


def _values(
    text: str, low: int, high: int, names: tuple[str, ...] = (), first: int = 0
) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        left, dash, right = span.partition("-")
        if span in ("*", "?"):
            start, end = low, high
        else:
            start = _number(left, names, first)
            end = _number(right, names, first) if dash else (high if step else start)
        width = int(step) if step.isdigit() else 1
        if not low <= start <= end <= high or width < 1 or (step and not step.isdigit()):
            message = f"{part!r} is not within {low}-{high}"
            raise ValueError(message)
        found |= set(range(start, end + 1, width))
    return frozenset(found)


def _number(text: str, names: tuple[str, ...], first: int) -> int:
    if text.lower() in names:
        return names.index(text.lower()) + first
    return int(text)


def next_after(schedule: Schedule, at: dt.datetime, zone: str | None = None) -> dt.datetime | None:
    """The first instant after `at`, in UTC; None if there is none within five years."""
    if schedule.every_seconds:
        return at.astimezone(dt.UTC) + dt.timedelta(seconds=schedule.every_seconds)
    return next((one for one in _instants(schedule, at, zone, step=1) if one > at), None)


def last_until(
    schedule: Schedule, since: dt.datetime, until: dt.datetime, zone: str | None = None
) -> dt.datetime | None:
    """The last instant after `since` and not after `until`, in UTC; None if there is none."""
    if schedule.every_seconds:
        times = (until - since).total_seconds() // schedule.every_seconds
        passed = dt.timedelta(seconds=times * schedule.every_seconds)
        return since.astimezone(dt.UTC) + passed if times >= 1 else None
    for at in _instants(schedule, until, zone, step=-1):
        if at <= since:
            return None
        if at <= until:
            return at
    return None


def has_missed_many(
    schedule: Schedule, since: dt.datetime, until: dt.datetime, zone: str | None = None
) -> bool:
    """Whether more than a hundred instants lie between: a clock or a controller was off."""
    at: dt.datetime | None = since
    for _ in range(MANY + 1):
        at = next_after(schedule, at, zone) if at else None
        if at is None or at > until:
            return False
    return True


def _instants(
    schedule: Schedule, around: dt.datetime, zone: str | None, *, step: int
) -> Iterator[dt.datetime]:
    """All instants in order from the day of `around` on, forwards or backwards, in UTC."""
    where = zoneinfo.ZoneInfo(zone) if zone else dt.UTC
    first = around.astimezone(where).date()
    for offset in range(_FARTHEST_DAYS):
        day = first + dt.timedelta(days=offset * step)
        if not schedule.allows_day(day):
            continue
        for hour in sorted(schedule.hours, reverse=step < 0):
            for fold in (0, 1)[::step]:
                for minute in sorted(schedule.minutes, reverse=step < 0):
                    at = dt.datetime.combine(day, dt.time(hour, minute, fold=fold), tzinfo=where)
                    if _exists(at):
                        yield at.astimezone(dt.UTC)


def _exists(at: dt.datetime) -> bool:
    """Whether the wall clock shows this: not what is left out in spring; in autumn twice."""
    back = at.astimezone(dt.UTC).astimezone(at.tzinfo)
    return back.replace(tzinfo=None) == at.replace(tzinfo=None) and back.fold == at.fold
