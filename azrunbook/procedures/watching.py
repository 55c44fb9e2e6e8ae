"""Look at something again and again, on threads of their own, and keep what was seen.

Changes nothing. A cluster that does not answer leaves a gap: what is watched is often just being
stopped or taken apart.
"""

import contextlib
import threading
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from azrunbook import errors

_LAST_LOOK_SECONDS = 30.0
_T = TypeVar("_T")


class Watch(Generic[_T]):
    """Looks until stopped.

    Args:
        looks: one look each, by the name of what it looks at; all go on at once.
        every_seconds: between the end of a look and the next one.
    """

    def __init__(self, looks: Mapping[str, Callable[[], _T]], *, every_seconds: float) -> None:
        self._every_seconds = every_seconds
        self._stop = threading.Event()
        self._seen: list[_T] = []
        self._threads = [
            threading.Thread(target=self._run, args=(look,), name=f"watch {name}", daemon=True)
            for name, look in looks.items()
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> list[_T]:
        """Look no more; returns what was seen, in the order in which the looks ended."""
        self._stop.set()
        for thread in self._threads:
            thread.join(_LAST_LOOK_SECONDS)
        return list(self._seen)

    def _run(self, look: Callable[[], _T]) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(errors.AzrunbookError):
                self._seen.append(look())
            self._stop.wait(self._every_seconds)
