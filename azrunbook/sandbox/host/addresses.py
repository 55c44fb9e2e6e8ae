"""Loopback addresses: every sandbox and every cluster gets a /16 of 127.0.0.0/8 of its own.

Two sandboxes on one machine must not meet, and no registry of who uses what survives a kill -9. So
a block is claimed by holding a bound socket in it: the kernel gives it back when the process ends,
however it ends. Linux answers on all of 127.0.0.0/8; other systems need aliases (README).
"""

import ipaddress
import random
import socket
from dataclasses import dataclass, field

API_SERVER_PORT = 6443
_CLAIM_PORT = 6442
_BLOCKS = range(16, 251)  # 127.0 to 127.15 stay free for whatever else listens on the machine
_FIRST_NODE = 10


@dataclass(frozen=True)
class Block:
    """One claimed /16; :meth:`release` gives it back."""

    second_octet: int
    _claim: socket.socket = field(repr=False, compare=False)

    def address(self, third: int, fourth: int) -> str:
        return f"127.{self.second_octet}.{third}.{fourth}"

    @property
    def server(self) -> str:
        """Where the sandbox's own servers, or the cluster's API server, listen."""
        return self.address(0, 1)

    @property
    def load_balancers(self) -> ipaddress.IPv4Network:
        return ipaddress.IPv4Network(f"{self.address(1, 0)}/24")

    @property
    def services(self) -> ipaddress.IPv4Network:
        return ipaddress.IPv4Network(f"{self.address(2, 0)}/23")

    @property
    def databases(self) -> ipaddress.IPv4Network:
        """One address for each flexible server."""
        return ipaddress.IPv4Network(f"{self.address(4, 0)}/24")

    @property
    def caches(self) -> ipaddress.IPv4Network:
        return ipaddress.IPv4Network(f"{self.address(5, 0)}/24")

    @property
    def blobs(self) -> ipaddress.IPv4Network:
        """One address for each storage account; the first is for those inside the networks."""
        return ipaddress.IPv4Network(f"{self.address(6, 0)}/24")

    def node(self, index: int) -> str:
        """The address of node ``index`` (0-based)."""
        return self.address(_FIRST_NODE + index, 1)

    def pods(self, index: int) -> ipaddress.IPv4Network:
        """The addresses of the pods of node ``index``."""
        return ipaddress.IPv4Network(f"{self.address(_FIRST_NODE + index, 0)}/24")

    def release(self) -> None:
        self._claim.close()


def claim_block() -> Block:
    """Claim a free block, one whose API server port is free as well.

    Raises:
        OSError: every block is taken.
    """
    for octet in random.sample(_BLOCKS, len(_BLOCKS)):
        claim = socket.socket()
        try:
            claim.bind((f"127.{octet}.0.1", _CLAIM_PORT))
            _require_free(f"127.{octet}.0.1", API_SERVER_PORT)
        except OSError:
            claim.close()
        else:
            return Block(octet, claim)
    msg = (
        f"no free address block: port {_CLAIM_PORT} or {API_SERVER_PORT} is taken on every one of "
        f"127.{_BLOCKS.start}.0.1 to 127.{_BLOCKS.stop - 1}.0.1; stop other sandboxes"
    )
    raise OSError(msg)


def _require_free(address: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((address, port))
