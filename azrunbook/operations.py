"""ARM's long-running operations and refusals: waiting, repeating what is busy, saying what failed.

Shared by the typed and the generic ARM client; sends nothing itself. A poller is never dropped: it
is waited for to its end or to a deadline. Which refusals pass by themselves follows Azure's codes:
the same ``OperationNotAllowed`` means "busy" and "quota", so the message decides.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from azrunbook import certificates, errors, wait

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)
Tell = Callable[[str], None]

# Codes of "another operation is running"; a repeated request succeeds once that has ended.
_BUSY_CODES = frozenset(
    {
        "AnotherOperationInProgress",
        "ClusterNotReady",
        "EtagMismatch",
        "RetryableErrorDueToAnotherOperation",
        "ServerIsBusy",
    }
)
_BUSY_WORDS = ("in progress", "in-progress")
# Throttled or not there for a moment. Not 500: azure-core has repeated that one already, and an
# error that stays is an answer.
_BUSY_STATUS = frozenset({429, 502, 503, 504})
_UNAUTHORIZED, _CONFLICT = 401, 409
# Also LinkedAuthorizationFailed; a policy that forbids something has another code.
_NO_ROLE = "AuthorizationFailed"
_LOOK_SECONDS = 0.2


class Poller(Protocol[_T_co]):
    """What is used of azure-core's LROPoller."""

    def done(self) -> bool: ...
    def status(self) -> str: ...
    def wait(self, timeout: float | None = None) -> None: ...
    def result(self, timeout: float | None = None) -> _T_co: ...


def wait_for(poller: Poller[_T], *, what: str, timeout: float, progress: Tell | None = None) -> _T:
    """Wait for a long-running operation and return its result.

    ``what`` is the operation in words ("create cluster aks in eastus"), ``timeout`` is in seconds,
    ``progress`` is told each new state.

    Raises:
        WaitTimeoutError: it still runs; it goes on in Azure.
        StepError: it failed; carries ARM's code and message.
    """

    def look() -> wait.Seen[None]:
        poller.wait(_LOOK_SECONDS)
        return wait.Seen(None, poller.done(), f"{what}: {poller.status()}")

    with Explained(what):
        wait.wait_until(look, what=what, timeout=timeout, interval=0, progress=progress)
        return poller.result()


def repeat_while_busy(
    send: Callable[[], _T],
    *,
    what: str,
    timeout: float,
    interval: float,
    progress: Tell | None = None,
) -> _T:
    """Send a request again and again while ARM says that it is busy.

    ``interval`` seconds lie between two attempts; after ``timeout`` seconds the refusal counts.

    Raises:
        WaitTimeoutError: it was busy for the whole time.
        StepError: it refused for another reason; nothing is repeated then.
    """
    from azure.core.exceptions import HttpResponseError

    def look() -> wait.Seen[tuple[_T, ...]]:
        try:
            return wait.Seen((send(),), is_done=True, state="accepted")
        except HttpResponseError as error:
            if not is_busy(error):
                raise
            return wait.Seen((), is_done=False, state=f"{what}: waiting, {describe(error)}")

    with Explained(what):
        accepted = wait.wait_until(
            look, what=what, timeout=timeout, interval=interval, progress=progress
        )
        return accepted[0]


def is_busy(error: Any) -> bool:
    """Whether repeating the request later can succeed without anybody doing anything."""
    code, message = _read(error)
    if error.status_code in _BUSY_STATUS or code in _BUSY_CODES:
        return True
    return error.status_code == _CONFLICT and any(w in message.lower() for w in _BUSY_WORDS)


def describe(error: Any) -> str:
    """ARM's code and message in one line."""
    code, message = _read(error)
    return f"{code}: {message}" if code else message


class Explained:
    """Turns what the SDK raises inside the block into this package's errors, chained."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        """Nothing is acquired."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Translate.

        Raises:
            NotFoundError: 404.
            ConnectError: no connection, another's certificate, or the credential is refused.
            StepError: any other answer of ARM.
        """
        from azure.core import exceptions

        if not isinstance(error, exceptions.AzureError):
            return
        if isinstance(error, exceptions.ResourceNotFoundError):
            raise errors.NotFoundError(f"{self._what}: {describe(error)}") from error
        # Before the credential is judged: azure-identity calls this a refusal of it, too.
        if explained := certificates.explain(error):
            raise errors.ConnectError(
                f"{self._what}: {explained}: one of the connection's ca_bundle (none: the "
                "system's). Check its resource_manager, authority and ca_bundle, and look for a "
                "proxy in between; the request was not sent."
            ) from error
        # A poller tells the status only.
        is_refused = getattr(error, "status_code", None) == _UNAUTHORIZED
        if is_refused or isinstance(error, exceptions.ClientAuthenticationError):
            raise errors.ConnectError(
                f"{self._what}: Azure refuses the credential ({describe(error)}). Expected one "
                "that is valid for this tenant and not revoked. Sign in again (az login) or check "
                "the connection's credential, and run it again: what is done or under way is "
                "not done twice."
            ) from error
        if _read(error)[0].endswith(_NO_ROLE):
            raise errors.StepError(
                f"{self._what}: {describe(error)} Expected a role that holds this action, as Owner "
                "does. Have it given (az role assignment create) and run it again: what is done "
                "is not done twice."
            ) from error
        if not isinstance(error, exceptions.HttpResponseError):
            raise errors.ConnectError(
                f"{self._what}: no answer from Azure ({error}). Check the network and the "
                "connection's endpoints, and run it again."
            ) from error
        raise errors.StepError(f"{self._what}: {describe(error)}") from error


def _read(error: Any) -> tuple[str, str]:
    """Read code and message; AKS sends them flat, ARM below ``error``, the SDK reads both."""
    parsed = getattr(error, "error", None)
    code = str(getattr(parsed, "code", None) or "")
    message = str(getattr(parsed, "message", None) or error.message)
    return code, message
