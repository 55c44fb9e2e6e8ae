"""Start helm through pyhelm3 from synchronous code, and end it when the caller ends.

pyhelm3's coroutines run on one background loop per process, because a notebook's own loop is
taken. Knows nothing of releases.
"""

import asyncio
import contextlib
import functools
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

_T = TypeVar("_T")
_STOPPED_SECONDS = 3.0


def make_command(**options: Any) -> Any:
    """A pyhelm3 command that starts helm itself.

    pyhelm3 starts it below a shell, and ends only the shell when it is cancelled: helm would go on,
    and the caller would wait for it. Typed errors are told apart as far as this module needs it.
    """
    import pyhelm3
    from pyhelm3 import errors as helm_errors

    class Command(pyhelm3.Command):  # type: ignore[misc] # pyhelm3 is not typed
        def client_version(self) -> Any:
            return _read_version(self._executable)

        async def run(self, command: Sequence[Any], input: bytes | None = None) -> bytes:  # noqa: A002 - pyhelm3's name
            target = ["--kubeconfig", self._kubeconfig, "--kube-context", self._kubecontext]
            process = await asyncio.create_subprocess_exec(
                *map(str, [self._executable, *command, *target]),
                stdin=asyncio.subprocess.DEVNULL if input is None else asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            try:
                stdout, stderr = await process.communicate(input)
            except asyncio.CancelledError:
                await _end(process)
                raise
            if process.returncode == 0:
                return stdout
            is_missing = b"release: not found" in stderr
            kind = helm_errors.ReleaseNotFoundError if is_missing else helm_errors.Error
            raise kind(process.returncode, stdout, stderr)

    return Command(**options)


@functools.cache
def _read_version(executable: str) -> Any:
    """Ask once per process: each cluster has a client of its own, and each asks as it is made."""
    import pyhelm3

    return pyhelm3.Command(executable=executable).client_version()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Let helm write down what became of the release, else (it may not listen) kill it.

    What a kill leaves pending is repaired before the next release.
    """
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
        try:
            async with asyncio.timeout(_STOPPED_SECONDS):
                await process.communicate()
        except TimeoutError:
            process.kill()
            await process.communicate()


class Portal:
    """An event loop on a thread of its own, for the coroutines of pyhelm3."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="helm", daemon=True).start()

    @staticmethod
    @functools.cache
    def get() -> "Portal":
        return Portal()

    def call(self, act: Callable[[], Awaitable[_T]], timeout: float) -> _T:
        """Run to the end; when interrupted, stop helm and wait until it has cleaned up."""
        ended = threading.Event()

        async def guarded() -> _T:
            try:
                async with asyncio.timeout(timeout):
                    return await act()
            finally:
                ended.set()

        running: Coroutine[Any, Any, _T] = guarded()
        future = asyncio.run_coroutine_threadsafe(running, self._loop)
        try:
            return future.result()
        except BaseException:
            if future.cancel():
                ended.wait(2 * _STOPPED_SECONDS)
            raise
