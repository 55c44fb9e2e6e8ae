"""A binary that reports in lines of JSON, followed while it works and ended gracefully.

Terraform ends what is under way upon one SIGINT, and abandons it upon a second one or a SIGKILL.
So it has a process group of its own, which neither a Ctrl-C in the terminal nor the end of a killed
kernel reaches, and gets exactly one SIGINT: from this process, or, when this process is gone, from
a guard that was waiting for that. What it says goes into a file without a name, because a pipe
that nobody reads any more would kill it. It is killed only when it outlives the grace period.
"""

import contextlib
import datetime as dt
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from azrunbook import errors, secrets

_GRACE_SECONDS = 300.0  # a provider ends its request to Azure before terraform ends
_LOOK_SECONDS = 0.1
# Ends at a line from the one who guards; at the end of its pipe (its death) it interrupts first.
_GUARD = 'read -r _ || kill -s INT "$1"'


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
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed when followed to the end
        try:
            self._process = subprocess.Popen(  # noqa: S603 - an argument list, never a shell line
                command,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        except OSError as error:
            self._said.close()
            raise errors.CommandError(command, 127, "", str(error)) from error
        self._guard = subprocess.Popen(  # noqa: S603 - a script of ours and a process id
            ["/bin/sh", "-c", _GUARD, "sh", str(self._process.pid)],
            stdin=subprocess.PIPE,
            process_group=0,
        )

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
            self._guard.communicate(b"\n")
            self._said.close()

    @property
    def returncode(self) -> int:
        return self._process.wait()

    def _list_lines(self, timeout: float) -> Iterator[dict[str, Any]]:
        deadline = time.monotonic() + timeout
        last = "it told nothing"
        for line in self._read():
            if line:
                said = self._parse(line.decode(errors="replace"))
                last = str(said.get("@message") or last)
                yield said
            if time.monotonic() > deadline:
                raise self._say_late(timeout, last)

    def _read(self) -> Iterator[bytes]:
        """Whole lines as they come, and nothing now and then, until it has ended."""
        place, part = 0, b""
        while True:
            has_ended = self._process.poll() is not None
            new = os.pread(self._said.fileno(), os.fstat(self._said.fileno()).st_size, place)
            place += len(new)
            *lines, part = (part + new).split(b"\n")
            yield from (line + b"\n" for line in lines)
            if has_ended and not new:
                if part:
                    yield part
                return
            yield b""
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_LOOK_SECONDS)

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
