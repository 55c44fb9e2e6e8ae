"""What a failover cost, judged from confirmed and lost visits."""

import datetime as dt

import pytest

from azrunbook import visits

START = dt.datetime(2026, 11, 26, tzinfo=dt.UTC)
# Confirmed at these seconds; the first one last, because order must not matter.
CONFIRMED = [
    visits.Visit(str(second), START + dt.timedelta(seconds=second)) for second in (3, 5, 9, 1)
]


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        ([], visits.Loss(4, 0, 0.0)),
        (["9"], visits.Loss(4, 1, 4.0)),
        (["5", "9"], visits.Loss(4, 2, 6.0)),
        (["3"], visits.Loss(4, 1, 8.0)),
        (["1", "3", "5", "9"], visits.Loss(4, 4, 8.0)),
        (["of somebody else"], visits.Loss(4, 0, 0.0)),
    ],
)
def test_loss_counts_from_the_last_visit_before_the_first_lost_one(lost, expected):
    """The recovery point is a span of time between confirmed visits."""
    assert visits.measure_loss(CONFIRMED, lost) == expected
