"""The longest chain of dependencies among steps, and how near a run came to it."""

import datetime as dt

import pytest

from azrunbook.procedures import pace

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def make(name, start, seconds, *after):
    return pace.Timed(name, START + dt.timedelta(seconds=start), seconds, after)


GROUP, NETWORK, CLUSTER = make("group", 0, 1), make("net", 1, 2, "group"), make("aks", 3, 9, "net")
PROFILE = make("profile", 1, 3, "group")


@pytest.mark.parametrize(
    ("done", "names", "whole", "ratio"),
    [
        ([], [], 0, 1.0),
        ([GROUP], ["group"], 1, 1.0),
        ([CLUSTER, PROFILE, NETWORK, GROUP], ["group", "net", "aks"], 12, 1.0),
        # A barrier: the profile was made only after the cluster.
        ([GROUP, NETWORK, CLUSTER, make("profile", 12, 3, "group")],
         ["group", "net", "aks"], 15, 1.25),
        # The group was there before: nobody waited for it.
        ([NETWORK, make("aks", 4, 8, "net")], ["net", "aks"], 11, 1.1),
        # What takes no time at all is not divided by.
        ([make("nothing", 0, 0)], ["nothing"], 0, 1.0),
    ],
)  # fmt: skip
def test_the_longest_chain_is_found_and_compared(done, names, whole, ratio):
    """The chain by its seconds, not by its number of steps; the whole from first to last."""
    found = pace.measure(done)
    assert [one.name for one in found.chain] == names
    assert found.whole_seconds == pytest.approx(whole)
    assert found.ratio == pytest.approx(ratio)
    assert found.work_seconds == pytest.approx(sum(one.seconds for one in done))


def test_a_pace_shows_its_chain_and_its_ratio():
    """Who reads the report sees what to make quicker."""
    shown = str(pace.measure([GROUP, NETWORK, CLUSTER, PROFILE]))
    assert shown.startswith("12.0 s in all, 1.00 times the longest chain of 12.0 s")
    assert "9.0 s  aks" in shown
    assert "profile" not in shown
