"""Cron schedules: five fields, names, steps, lists, and the @hourly family.

Law: pure. Source: documentation "CronJob", robfig/cron standard parser: when both day fields are
restricted, either one is enough.
"""

import datetime as dt
import functools
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
_FIELDS = 5
_FARTHEST_DAYS = 5 * 366


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
    local = at.astimezone(zoneinfo.ZoneInfo(zone) if zone else dt.UTC)
    return next(_instants(schedule, local), None)


def _instants(schedule: Schedule, after: dt.datetime) -> Iterator[dt.datetime]:
    for offset in range(_FARTHEST_DAYS):
        day = after.date() + dt.timedelta(days=offset)
        if not schedule.allows_day(day):
            continue
        for hour in sorted(schedule.hours):
            for minute in sorted(schedule.minutes):
                at = dt.datetime.combine(day, dt.time(hour, minute), tzinfo=after.tzinfo)
                if at > after:
                    yield at.astimezone(dt.UTC)


def due_between(
    schedule: Schedule, since: dt.datetime, until: dt.datetime, zone: str | None = None
) -> dt.datetime | None:
    """The last instant after `since` and not after `until`."""
    latest, at = None, next_after(schedule, since, zone)
    while at is not None and at <= until:
        latest, at = at, next_after(schedule, at, zone)
    return latest
