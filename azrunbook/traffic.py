"""Ask a public endpoint at a fixed rate, as users would, and keep every answer.

An open loop: each request is due at its own instant and is sent then, whether or not earlier ones
were answered, because a prober that waits for slow answers asks less just when it matters. Runs an
asyncio loop on a thread of its own; :mod:`azrunbook.availability` makes sense of the samples.
"""

import asyncio
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from azrunbook import availability, certificates, errors

if TYPE_CHECKING:
    import httpx

_MAX_CONNECTIONS = 400  # two seconds of silence at the highest rate a notebook takes
_KEPT_CONNECTIONS = 20
_WORTH_TELLING = 120  # characters of an exception's text


class Prober:
    """Asks one URL until stopped; a context manager.

    Args:
        url: what to ask, with the public host name.
        connect_to: ``address:port`` to connect to instead of what DNS says, as ``curl
            --connect-to`` does; host name and certificate check stay those of the URL.
        ca_bundle: PEM file of the trusted authorities; None: the system's.
        rate_per_second: requests due per second.
        timeout_seconds: for one request, all in all.
        identify: makes each request a POST, and reads from its answer the id of what was made.
    """

    def __init__(
        self,
        url: str,
        *,
        connect_to: str = "",
        ca_bundle: Path | None = None,
        rate_per_second: float = 20,
        timeout_seconds: float = 5,
        identify: "Callable[[httpx.Response], str] | None" = None,
    ) -> None:
        self.url = url
        self.rate_per_second = rate_per_second
        self._host = urlsplit(url).netloc
        self._target = _retarget(url, connect_to)
        self._ca_bundle = ca_bundle
        self._timeout_seconds = timeout_seconds
        self._identify = identify
        self._samples: list[availability.Sample] = []
        self._marks: list[availability.Mark] = []
        self._described: dict[str, str] = {}
        self._arrived = threading.Condition()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"prober {url}", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Send no more requests and wait for the answers still under way."""
        self._stop.set()
        self._thread.join()

    @property
    def samples(self) -> list[availability.Sample]:
        """Everything answered so far, in the order in which it was due."""
        with self._arrived:
            return sorted(self._samples, key=lambda one: one.at)

    @property
    def marks(self) -> Sequence[availability.Mark]:
        return tuple(self._marks)

    def mark(self, name: str) -> None:
        """Remember that something happened now, for the plot."""
        self._marks.append(availability.Mark(time.time(), name))

    def wait_for(
        self,
        condition: Callable[[Sequence[availability.Sample]], bool],
        *,
        what: str,
        timeout_seconds: float,
    ) -> None:
        """Wait until the samples so far meet a condition; looks when an answer arrives.

        Raises:
            StepError: the deadline passed; says what the last answers were.
        """
        deadline = time.monotonic() + timeout_seconds
        with self._arrived:
            while not condition(sorted(self._samples, key=lambda one: one.at)):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise errors.StepError(
                        f"{what}: not within {timeout_seconds:g} s; the last answers of "
                        f"{self.url}: {self._describe_last()}"
                    )
                self._arrived.wait(timeout=min(left, 1))

    def _describe_last(self) -> str:
        words = (one.error or f"{one.status} {one.region}".strip() for one in self._samples[-20:])
        counted = availability.count(words)
        return ", ".join(f"{number} times {word}" for word, number in counted.items()) or "none"

    def _run(self) -> None:
        asyncio.run(self._ask_all())

    async def _ask_all(self) -> None:
        import httpx

        context = ssl.create_default_context(cafile=self._ca_bundle and str(self._ca_bundle))
        limits = httpx.Limits(
            max_connections=_MAX_CONNECTIONS, max_keepalive_connections=_KEPT_CONNECTIONS
        )
        async with httpx.AsyncClient(
            verify=context, limits=limits, timeout=self._timeout_seconds, trust_env=False
        ) as client:
            started, started_at, number = time.monotonic(), time.time(), 0
            tasks: set[asyncio.Task[None]] = set()
            while not self._stop.is_set():
                due = number / self.rate_per_second
                await asyncio.sleep(max(0.0, started + due - time.monotonic()))
                task = asyncio.create_task(self._ask(client, started_at + due))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                number += 1
            await asyncio.gather(*tasks)

    async def _ask(self, client: "httpx.AsyncClient", at: float) -> None:
        import httpx

        sent = time.monotonic()
        status, headers, error, created = 0, httpx.Headers(), "", ""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                answer = await client.request(
                    "POST" if self._identify else "GET",
                    self._target,
                    headers={"Host": self._host},
                    extensions={"sni_hostname": self._host.partition(":")[0]},
                )
            status, headers = answer.status_code, answer.headers
            created = self._identify(answer) if self._identify else ""
        except (httpx.HTTPError, TimeoutError) as failure:
            error = await self._describe(failure)
        sample = availability.Sample(
            at=at,
            latency_seconds=time.monotonic() - sent,
            status=status,
            region=headers.get("x-app-region", ""),
            version=headers.get("x-app-version", ""),
            pod=headers.get("x-app-pod", ""),
            error=error,
            created=created,
        )
        with self._arrived:
            self._samples.append(sample)
            self._arrived.notify_all()

    async def _describe(self, failure: Exception) -> str:
        """Say why there was no answer; a certificate is looked at once, not with every request."""
        text = f"{type(failure).__name__} {failure}".strip()[:_WORTH_TELLING]
        if text not in self._described:
            name = self._host.partition(":")[0]
            self._described[text] = text
            self._described[text] = (
                await asyncio.to_thread(certificates.explain, failure, name=name, url=self._target)
                or text
            )
        return self._described[text]


def _retarget(url: str, connect_to: str) -> str:
    return urlsplit(url)._replace(netloc=connect_to).geturl() if connect_to else url
