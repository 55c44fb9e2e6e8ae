"""What a promotion cost and will cost, judged from confirmed and lost writes."""

import pytest

from azrunbook import availability, writes

# Confirmed at these seconds; the first one last, because order must not matter.
CONFIRMED = [writes.Write(str(second), second - 0.5, float(second)) for second in (3, 5, 9, 1)]


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        ([], writes.Loss(4, 0, 0.0)),
        (["9"], writes.Loss(4, 1, 4.0)),
        (["5", "9"], writes.Loss(4, 2, 6.0)),
        (["3"], writes.Loss(4, 1, 2.0)),  # what was confirmed after the promotion is not lost
        (["3", "5"], writes.Loss(4, 2, 4.0)),
        (["1", "3", "5", "9"], writes.Loss(4, 4, 8.0)),
        (["of somebody else"], writes.Loss(4, 0, 0.0)),
    ],
)
def test_loss_counts_from_the_last_write_kept_before_the_first_lost_one(lost, expected):
    """The recovery point is a span of time between confirmed writes."""
    assert writes.measure_loss(CONFIRMED, lost) == expected


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (0, 10, 4),
        (0, 5, 2),
        (6, 8, 2),  # nothing at all was confirmed
        (5.5, 20, 11),  # and nothing after the ninth second
    ],
)
def test_silence_is_the_longest_time_without_a_confirmation(since, until, expected):
    """Only what lies between the two instants counts, and the ends count too."""
    assert writes.find_silence(CONFIRMED, since, until) == expected


def test_a_slow_write_counts_when_it_is_confirmed():
    """A request that waited through the promotion was not written when it was due."""
    samples = [
        availability.Sample(10.0, 4.0, 201, created="late"),
        availability.Sample(11.0, 0.5, 201, created="early"),
        availability.Sample(12.0, 3.0, 503),
    ]
    found = writes.list_confirmed(samples)
    assert [(one.id, one.confirmed_at) for one in found] == [("early", 11.5), ("late", 14.0)]


@pytest.mark.parametrize(
    ("promote", "lag", "silence", "loss"),
    [
        ("planned", 30, (0, 150), (0, 0)),
        ("forced", 30, (0, 120), (0, 30)),
        ("forced", None, (0, 120), (0, 0)),
    ],
)
def test_lag_costs_time_when_it_is_waited_for_and_data_when_it_is_not(promote, lag, silence, loss):
    """Planned: the lag is waited for. Forced: it is given up."""
    assert writes.forecast(promote, lag) == writes.Forecast(silence, loss)
