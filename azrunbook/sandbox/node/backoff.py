"""How long to wait before the next try. Pure: time is told, not asked."""

from azrunbook.sandbox.node import config


class RestartDelays:
    """The delay before each start of one container: the first restart is at once, then it grows."""

    def __init__(self, settings: config.BackOff) -> None:
        self._settings = settings
        self._next = 0.0

    def next_seconds(self, ran_seconds: float) -> float:
        """Return the delay after a run of this length; a long run makes the past forgotten."""
        settings = self._settings
        delay = 0.0 if ran_seconds >= settings.forget_after_seconds else self._next
        self._next = grow(delay, settings)
        return delay


def grow(delay: float, settings: config.BackOff) -> float:
    """Return the delay that follows this one: twice as long, up to the limit."""
    return min(delay * 2 or settings.first_seconds, settings.limit_seconds)
