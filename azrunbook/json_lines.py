"""A binary that reports in lines of JSON, followed while it works and ended gracefully.

Starts one process, in a process group of its own: a Ctrl-C in the terminal reaches only this
process, which passes on one SIGINT and waits. Terraform ends what is under way upon the first and
abandons it upon the second; it is killed only when it has not ended after the grace period.
"""

import contextlib
import datetime as dt
import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from azrunbook import errors, secrets

_GRACE_SECONDS = 300.0  # a provider ends its request to Azure before terraform ends
_LOOK_SECONDS = 0.5


class JsonLines:
    """A running binary; ``command`` holds no secret, ``environment`` is added to this process's.

    Attributes:
        rest: what it said that is not JSON.

    Raises:
        CommandError: it cannot be started.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.rest = ""
        self._command = tuple(command)
        self._lines: queue.Queue[str | None] = queue.Queue()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - an argument list, never a shell line
                command,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                process_group=0,
            )
        except OSError as error:
            raise errors.CommandError(command, 127, "", str(error)) from error
        threading.Thread(target=self._read, name="json lines", daemon=True).start()

    @contextlib.contextmanager
    def follow(self, timeout: float) -> Iterator[Iterator[dict[str, Any]]]:
        """Read what it says, within ``timeout`` seconds; afterwards it has ended, come what may.

        Raises:
            WaitTimeoutError: from the reading; it did not end in time.
        """
        try:
            yield self._list_lines(timeout)
        except BaseException:
            self._stop()
            raise
        finally:
            self._process.wait()

    @property
    def returncode(self) -> int:
        return self._process.wait()

    def _list_lines(self, timeout: float) -> Iterator[dict[str, Any]]:
        deadline = time.monotonic() + timeout
        last = "it told nothing"
        while True:
            with contextlib.suppress(queue.Empty):
                line = self._lines.get(timeout=_LOOK_SECONDS)
                if line is None:
                    return
                said = self._parse(line)
                last = str(said.get("@message") or last)
                yield said
            if time.monotonic() > deadline:
                raise self._say_late(timeout, last)

    def _parse(self, line: str) -> dict[str, Any]:
        with contextlib.suppress(json.JSONDecodeError):
            value = json.loads(line)
            if isinstance(value, dict):
                return value
        self.rest += line
        return {}

    def _say_late(self, timeout: float, last: str) -> errors.WaitTimeoutError:
        seen = secrets.scrub(last)
        return errors.WaitTimeoutError(
            f"{self._command[0]}: not done within {timeout:g} s (last seen: {seen}). It was asked "
            "to end, and has ended what was under way. Look again at what is left to do.",
            waited=dt.timedelta(seconds=timeout),
            last_seen=seen,
        )

    def _stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            # What it started (terraform's providers) is in its group.
            os.killpg(self._process.pid, signal.SIGKILL)

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self._lines.put(line)
        self._lines.put(None)
