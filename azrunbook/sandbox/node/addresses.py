"""The pod addresses of one node: handed out in turn, so that a freed one rests. No IO."""

from ipaddress import IPv4Network


class AddressPool:
    """Addresses of one network; the node's own is never handed out."""

    def __init__(self, network: IPv4Network, *, reserved: str) -> None:
        self._free = [str(each) for each in network.hosts() if str(each) != reserved]

    def take(self, wanted: str = "") -> str:
        """Return a free address, the wanted one if it is free.

        Raises:
            LookupError: none is left.
        """
        if wanted in self._free:
            self._free.remove(wanted)
            return wanted
        if not self._free:
            raise LookupError("no IP addresses available in range set")
        return self._free.pop(0)

    def give_back(self, address: str) -> None:
        """Free an address; it is the last to be handed out again."""
        self._free.append(address)
