"""Getting an image onto the node: pull policies, back-off, and the kubelet's words about it."""

import time
from collections.abc import Awaitable, Callable

from azrunbook.sandbox.node import backoff, config, image as images, runtime, statuses

# Tells a waiting state; waits for so many seconds, False when the container is to stop.
Tell = Callable[[config.Object], None]
Pause = Callable[[float], Awaitable[bool]]


def choose_policy(container: config.Object) -> str:
    """Return the pull policy: Always for ``latest``, IfNotPresent for the rest. Pure."""
    if policy := container.get("imagePullPolicy"):
        return str(policy)
    name = container["image"].rpartition("/")[2]
    is_latest = "@" not in name and name.partition(":")[2] in {"", "latest"}
    return "Always" if is_latest else "IfNotPresent"


class Puller:
    """Pulls for one container of one pod."""

    def __init__(
        self, parts: runtime.Runtime, subject: config.Object, tell: Tell, pause: Pause
    ) -> None:
        self._parts = parts
        self._subject = subject
        self._tell = tell
        self._pause = pause

    async def pull(self, container: config.Object) -> images.Image | None:
        """Return the image, or None when the container was told to stop before there was one.

        Raises:
            ImagePullError: the node simulates what cannot run, and this cannot.
        """
        delay = 0.0
        while True:
            try:
                return self._try(container)
            except images.ImagePullError as error:
                if self._parts.config.unrunnable == "simulate" and images.is_unrunnable(error):
                    raise
                delay = backoff.grow(delay, self._parts.config.backoff)
                if not await self._wait(container["image"], error, delay):
                    return None

    def _try(self, container: config.Object) -> images.Image:
        name, policy = container["image"], choose_policy(container)
        tell = self._parts.events
        is_present = name in self._parts.pulled
        if policy == "Never" and not is_present:
            raise images.ImagePullError(
                f'Container image "{name}" is not present with pull policy of Never',
                reason="ErrImageNeverPull",
            )
        if is_present and policy != "Always":
            image = self._parts.images.resolve(name)
            text = f'Container image "{name}" already present on machine'
            tell.normal(self._subject, "Pulled", text)
            return image
        tell.normal(self._subject, "Pulling", f'Pulling image "{name}"')
        began = time.monotonic()
        self._parts.config.check_pull(images.parse_reference(name))
        image = self._parts.images.resolve(name)
        took = f"{max(1, round((time.monotonic() - began) * 1000))}ms"
        self._parts.pulled.add(name)
        text = f'Successfully pulled image "{name}" in {took} ({took} including waiting). '
        tell.normal(self._subject, "Pulled", f"{text}Image size: {image.size_bytes} bytes.")
        return image

    async def _wait(self, name: str, error: images.ImagePullError, delay: float) -> bool:
        tell = self._parts.events
        if error.reason == "ErrImagePull":
            tell.warning(self._subject, "Failed", f'Failed to pull image "{name}": {error}')
            tell.warning(self._subject, "Failed", "Error: ErrImagePull")
        elif error.reason == "InvalidImageName":
            tell.warning(self._subject, "InspectFailed", str(error))
            tell.warning(self._subject, "Failed", "Error: InvalidImageName")
        else:
            tell.warning(self._subject, error.reason, str(error))
            tell.warning(self._subject, "Failed", f"Error: {error.reason}")
        self._tell(statuses.waiting(error.reason, str(error)))
        # ErrImagePull is seen for a moment, then the wait has a name of its own.
        if not await self._pause(delay / 5):
            return False
        if error.reason == "ErrImagePull":
            text = f'Back-off pulling image "{name}"'
            tell.normal(self._subject, "BackOff", text)
            tell.warning(self._subject, "Failed", "Error: ImagePullBackOff")
            self._tell(statuses.waiting("ImagePullBackOff", f"{text}: ErrImagePull: {error}"))
        return await self._pause(delay * 4 / 5)
