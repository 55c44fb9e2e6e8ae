"""The certificate authority of one sandbox: server and client certificates, TLS contexts.

Everything the sandbox serves is TLS with certificates of this authority, and everything that asks
verifies them: the real clients are used with verification on, so a mistake here shows at once.
The authority lives as long as its sandbox; its private key never leaves the process.
"""

import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class KeyPair:
    """A certificate with its private key, both PEM."""

    certificate_pem: bytes
    key_pem: bytes


class Authority:
    """Issues certificates that clients trusting :attr:`certificate_pem` accept."""

    def __init__(self) -> None:
        self._ca = trustme.CA(organization_name="azrunbook sandbox")
        self.certificate_pem: bytes = self._ca.cert_pem.bytes()

    def issue(self, *names: str) -> KeyPair:
        """Issue a server certificate for DNS names and IP addresses."""
        return _pair(self._ca.issue_cert(*names))

    def issue_client(self, common_name: str, organizations: Sequence[str] = ()) -> KeyPair:
        """Issue a client certificate: Kubernetes reads CN as the user and O as the group.

        Raises:
            ValueError: more than one organization; the clients here need at most one group.
        """
        if len(organizations) > 1:
            msg = f"one organization at most, not {list(organizations)}"
            raise ValueError(msg)
        certificate = self._ca.issue_cert(
            "client.invalid",
            common_name=common_name,
            organization_name=organizations[0] if organizations else None,
        )
        return _pair(certificate)

    def server_context(self, *names: str, ask_client_certificate: bool = False) -> ssl.SSLContext:
        """TLS for a listener under these names; a client certificate is optional when asked."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        _load(context, self.issue(*names))
        if ask_client_certificate:
            context.verify_mode = ssl.CERT_OPTIONAL
            context.load_verify_locations(cadata=self.certificate_pem.decode())
        return context

    def client_context(self, pair: KeyPair | None = None) -> ssl.SSLContext:
        """TLS for asking a listener of this sandbox, with a client certificate if given."""
        context = ssl.create_default_context(cadata=self.certificate_pem.decode())
        if pair:
            _load(context, pair)
        return context


def _pair(certificate: trustme.LeafCert) -> KeyPair:
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    return KeyPair(certificate_pem=chain, key_pem=certificate.private_key_pem.bytes())


def _load(context: ssl.SSLContext, pair: KeyPair) -> None:
    # The ssl module reads keys from files only; the file is gone before this returns.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pair.pem")
        path.touch(mode=0o600)
        path.write_bytes(pair.key_pem + pair.certificate_pem)
        context.load_cert_chain(path)
