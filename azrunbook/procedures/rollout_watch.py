"""Tell how a rollout goes while Helm waits for it, and what the pods that are not ready wait for.

Helm says nothing until its own deadline; a person wants to know after seconds that an image does
not start. Reads only, on a thread of its own, and ends with the ``with`` block.
"""

import contextlib
import threading
from collections.abc import Iterator, Sequence

from azrunbook import errors, workloads
from azrunbook.procedures import actions

_LOOK_SECONDS = 1.5


@contextlib.contextmanager
def told(where: workloads.Workloads, namespace: str, progress: actions.Progress) -> Iterator[None]:
    """Tell each new state of the namespace's pods until the block is left."""
    left = threading.Event()

    def tell() -> None:
        while not left.wait(_LOOK_SECONDS):
            with contextlib.suppress(errors.AzrunbookError):
                progress(describe(where.list_pods(namespace)))

    thread = threading.Thread(target=tell, name=f"watch {namespace}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        left.set()
        thread.join(_LOOK_SECONDS)


def describe(pods: Sequence[workloads.Pod]) -> str:
    """``2 of 3 pods ready; traefik-x: ImagePullBackOff``: the first one that waits, by name."""
    ready = sum(pod.is_ready for pod in pods)
    waiting = next((pod for pod in pods if not pod.is_ready), None)
    state = f"{ready} of {len(pods)} pods ready"
    return f"{state}; {waiting.name}: {waiting.state}" if waiting else state
