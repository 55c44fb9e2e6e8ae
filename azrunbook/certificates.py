"""Say of a certificate that was refused what was presented and what was expected.

Asks the port once more, without trusting it and without sending anything, and only after a client
that verifies has refused it: that client's library tells the reason and not the certificate. What
an error is about is found in what it was raised from, because each SDK wraps it in its own way.
"""

import datetime as dt
import socket
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:  # loaded when it is needed, with the first refusal
    from cryptography import x509

_SECONDS = 5.0
_HTTPS = 443


def explain(error: BaseException, *, name: str = "", url: str = "") -> str:
    """Describe the refusal in what a client raised; empty: it is not about a certificate.

    Args:
        error: of requests, urllib3, httpx, an Azure SDK or the ssl module.
        name: what the certificate has to be for, if not the host that was connected to.
        url: where the client connected to; empty: the error tells.
    """
    refused = find_refusal(error)
    if refused is None:
        return ""
    host, port = _find_address(list(_walk(error, set())), url)
    wanted = name or host
    return (
        f"{host}:{port} does not prove to be {wanted}: {refused.verify_message}. It presented "
        f"{_describe(host, port, wanted)}; expected one for {wanted} that is valid now "
        f"({dt.datetime.now(tz=dt.UTC):%Y-%m-%d %H:%M} UTC) and signed by a trusted authority"
    )


def find_refusal(error: BaseException) -> ssl.SSLCertVerificationError | None:
    """The refusal of a certificate that an error was raised from, if it was."""
    chain = _walk(error, set())
    return next((one for one in chain if isinstance(one, ssl.SSLCertVerificationError)), None)


def is_about_tls(error: BaseException) -> bool:
    """Whether either side refused the other's certificate, or broke off while shaking hands."""
    return any(isinstance(one, ssl.SSLError) for one in _walk(error, set()))


def _walk(error: object, seen: set[int]) -> Iterator[BaseException]:
    """An error and all that it was raised from, also where a library only keeps it at hand."""
    if not isinstance(error, BaseException) or id(error) in seen:
        return
    seen.add(id(error))
    yield error
    kept = (getattr(error, "reason", None), getattr(error, "inner_exception", None))
    for cause in (error.__cause__, error.__context__, *kept, *error.args):
        yield from _walk(cause, seen)


def _find_address(chain: list[BaseException], url: str) -> tuple[str, int]:
    """Where the client connected to, as the caller, urllib3's pool or requests' request says."""
    for error in () if url else chain:
        if pool := getattr(error, "pool", None):
            return str(pool.host), int(pool.port)
        if request := getattr(error, "request", None):
            url = str(request.url)
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _HTTPS


def _describe(host: str, port: int, name: str) -> str:
    """A certificate's names, issuer and dates, as it is presented to who asks for a name."""
    from cryptography import x509

    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # looked at, not trusted
    try:
        with (
            socket.create_connection((host, port), timeout=_SECONDS) as connection,
            context.wrap_socket(connection, server_hostname=name) as secured,
        ):
            presented = secured.getpeercert(binary_form=True) or b""
        found = x509.load_der_x509_certificate(presented)
    except (OSError, ValueError) as error:
        return f"one that could not be looked at again ({type(error).__name__})"
    return (
        f"a certificate for {', '.join(_list_names(found)) or 'no name'}, issued by "
        f"{found.issuer.rfc4514_string()}, valid from {found.not_valid_before_utc:%Y-%m-%d} to "
        f"{found.not_valid_after_utc:%Y-%m-%d}"
    )


def _list_names(found: "x509.Certificate") -> list[str]:
    from cryptography import x509

    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(one.value) for one in names]
