"""Blocks of loopback addresses: claimed by a bound socket, given back with it."""

import ipaddress
import socket

import pytest

from azrunbook.sandbox.host import addresses


@pytest.fixture
def block():
    claimed = addresses.claim_block()
    yield claimed
    claimed.release()


def test_two_blocks_are_never_the_same(block):
    """A second sandbox on the machine takes another one."""
    other = addresses.claim_block()
    assert other.second_octet != block.second_octet
    other.release()


def test_a_block_whose_api_port_is_taken_is_not_claimed(monkeypatch):
    """A port in use means another block, not a failure."""
    taken = socket.socket()
    taken.bind(("127.251.0.1", addresses.API_SERVER_PORT))
    monkeypatch.setattr(addresses, "_BLOCKS", range(251, 253))
    block = addresses.claim_block()
    assert block.second_octet == 252
    block.release()
    taken.close()


def test_no_free_block_says_which_were_tried(monkeypatch):
    """The error names the port and what to do."""
    monkeypatch.setattr(addresses, "_BLOCKS", range(251, 252))
    block = addresses.claim_block()
    with pytest.raises(OSError, match=r"6442 or 6443 is taken.*stop other sandboxes"):
        addresses.claim_block()
    block.release()


def test_parts_of_a_block_do_not_overlap(block):
    """Servers, load balancers, services, nodes and pods each have their own."""
    networks = [block.load_balancers, block.services, *(block.pods(n) for n in range(3))]
    for place, one in enumerate(networks):
        assert not any(one.overlaps(other) for other in networks[place + 1 :])
        assert ipaddress.ip_address(block.server) not in one
    assert ipaddress.ip_address(block.node(2)) in block.pods(2)
