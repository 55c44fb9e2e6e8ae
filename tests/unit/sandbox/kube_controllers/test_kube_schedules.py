"""When a cron schedule is due."""

import datetime as dt

import pytest

from azrunbook.sandbox.kube.controllers import schedules

NOW = dt.datetime(2026, 1, 31, 12, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("*/15 * * * *", "2026-01-31T12:00:00Z", "2026-01-31T12:15:00Z"),
        ("0 3 * * *", "2026-01-31T12:00:00Z", "2026-02-01T03:00:00Z"),
        ("0 0 1 * *", "2026-01-31T12:00:00Z", "2026-02-01T00:00:00Z"),
        ("30 8 * * mon-fri", "2026-01-31T12:00:00Z", "2026-02-02T08:30:00Z"),
        ("0 0 13 * 5", "2026-01-31T12:00:00Z", "2026-02-06T00:00:00Z"),
        ("@hourly", "2026-01-31T12:00:00Z", "2026-01-31T13:00:00Z"),
        ("0 0 29 2 *", "2026-01-31T12:00:00Z", "2028-02-29T00:00:00Z"),
        ("0 0 * * 7", "2026-01-31T12:00:00Z", "2026-02-01T00:00:00Z"),
    ],
)
def test_next_instant_of_a_schedule(text, after, expected):
    """Steps, names, both day fields, macros and leap days."""
    at = schedules.next_after(schedules.parse(text), dt.datetime.fromisoformat(after))
    assert at == dt.datetime.fromisoformat(expected)


def test_schedule_in_a_time_zone():
    """08:00 in Amsterdam is 07:00 UTC in winter."""
    at = schedules.next_after(schedules.parse("0 8 * * *"), NOW, "Europe/Amsterdam")
    assert at == dt.datetime(2026, 2, 1, 7, tzinfo=dt.UTC)


@pytest.mark.parametrize("text", ["* * * *", "61 * * * *", "a * * * *", "*/0 * * * *"])
def test_wrong_schedule_is_refused(text):
    """Too few fields, values out of range, words, a step of zero."""
    with pytest.raises(ValueError, match=r"fields|not within|invalid literal"):
        schedules.parse(text)


@pytest.mark.parametrize(
    ("text", "since", "until", "expected"),
    [
        ("* * * * *", "2025-01-01T00:00:00Z", "2026-01-31T12:00:30Z", "2026-01-31T12:00:00Z"),
        ("0 3 * * *", "2026-01-31T03:00:00Z", "2026-01-31T12:00:00Z", None),
        ("0 3 * * *", "2026-01-31T02:59:59Z", "2026-01-31T03:00:00Z", "2026-01-31T03:00:00Z"),
        ("0 0 29 2 *", "2020-01-01T00:00:00Z", "2026-01-31T12:00:00Z", "2024-02-29T00:00:00Z"),
        ("@every 90m", "2026-01-31T08:10:00Z", "2026-01-31T12:00:00Z", "2026-01-31T11:10:00Z"),
        ("@every 90m", "2026-01-31T11:10:00Z", "2026-01-31T12:00:00Z", None),
    ],
)
def test_last_instant_that_was_missed(text, since, until, expected):
    """However many were missed, only the last one counts."""
    schedule = schedules.parse(text)
    span = (dt.datetime.fromisoformat(since), dt.datetime.fromisoformat(until))
    found = schedules.last_until(schedule, *span)
    assert found == (expected and dt.datetime.fromisoformat(expected))


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z"),  # 02:30 does not exist on the 29th
        ("2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"),  # summer time's 02:30
        ("2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),  # and winter time's
        ("2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z"),
    ],
)
def test_clock_changes_leave_out_and_repeat(after, expected):
    """02:30 in Amsterdam: not on one day in spring, twice on one in autumn."""
    at = dt.datetime.fromisoformat(after)
    found = schedules.next_after(schedules.parse("30 2 * * *"), at, "Europe/Amsterdam")
    assert found == dt.datetime.fromisoformat(expected)


@pytest.mark.parametrize(("minutes", "expected"), [(100, False), (101, True)])
def test_more_than_a_hundred_missed_are_many(minutes, expected):
    """The number from which the controller warns."""
    since = NOW - dt.timedelta(minutes=minutes)
    assert schedules.has_missed_many(schedules.parse("* * * * *"), since, NOW) is expected


@pytest.mark.parametrize("text", ["@every ", "@every 5", "@every 1d", "@every x1m"])
def test_wrong_duration_is_refused(text):
    """A number without a unit, and units that are none."""
    with pytest.raises(ValueError, match="no duration"):
        schedules.parse(text)
