"""The work queue: each key once, timers, back-off."""

import asyncio

import pytest

from azrunbook.sandbox.kube.controllers import loop


async def test_key_added_twice_is_worked_on_once():
    """Changes that come together make one reconcile."""
    queue = loop.WorkQueue()
    queue.add(("d", "a"))
    queue.add(("d", "b"))
    queue.add(("d", "a"))
    assert [await queue.get(), await queue.get()] == [("d", "a"), ("d", "b")]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.get(), 0.01)


async def test_key_added_while_it_is_worked_on_comes_again():
    """A change during a reconcile is not lost."""
    queue = loop.WorkQueue()
    queue.add(("d", "a"))
    await queue.get()
    queue.add(("d", "a"))
    assert await asyncio.wait_for(queue.get(), 1) == ("d", "a")


async def test_earlier_timer_wins_and_work_drops_it():
    """A later request does not postpone; once worked on, the old timer is gone."""
    queue = loop.WorkQueue()
    queue.add_after(("d", "a"), 0.01)
    queue.add_after(("d", "a"), 60)
    assert await asyncio.wait_for(queue.get(), 1) == ("d", "a")
    queue.add_after(("d", "a"), 0.01)
    queue.add(("d", "a"))
    await queue.get()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.get(), 0.05)


async def test_back_off_doubles_until_forgotten():
    """Each failure doubles the wait up to a limit; success starts over."""
    queue = loop.WorkQueue()
    waits = [queue.add_failed(("d", "a")) for _ in range(3)]
    assert waits == [0.01, 0.02, 0.04]
    for _ in range(20):
        last = queue.add_failed(("d", "a"))
    assert last == loop.LONGEST_BACK_OFF_SECONDS
    queue.forget_failures(("d", "a"))
    assert queue.add_failed(("d", "a")) == 0.01
    queue.close()
