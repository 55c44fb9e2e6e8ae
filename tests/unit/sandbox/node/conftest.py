"""A deadline for what the tests watch."""

import asyncio
import time

import pytest


@pytest.fixture
def until():
    """Await until a condition holds; fails, naming it, after ten seconds."""

    async def watch(condition, *, seconds=10.0):
        deadline = time.monotonic() + seconds
        while not (seen := condition()):
            assert time.monotonic() < deadline, f"not seen within {seconds} s: {condition}"
            await asyncio.sleep(0.01)
        return seen

    return watch
