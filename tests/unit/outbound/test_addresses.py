from ipaddress import IPv4Address, ip_address

import pytest

from octavia.outbound.addresses import is_public, literal, resolved


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "2130706433", "0x7f000001", "0x7F.1", "0177.0.0.1", "0177.0x0.1", "127.1", "::ffff:127.0.0.1"],
)
def test_literal_reads_an_address_in_every_form_that_the_system_would(host: str) -> None:
    # Given an address of this machine in one of its spellings
    # When I read it
    # Then it is that address
    assert literal(host) == IPv4Address("127.0.0.1")


@pytest.mark.parametrize("host", ["example.com", "127.0.0.1.example.com", "a", "0x7g.1", "1.2.3.4.5"])
def test_literal_leaves_names_alone(host: str) -> None:
    # Given a name, even one that resembles an address
    # When I read it
    # Then it is none
    assert literal(host) is None


@pytest.mark.parametrize(
    "host", ["256.0.0.1", "1.2.3.999", "4294967296", "::g", "fe80::1%25eth0", "fe80::1%eth0", "09"]
)
def test_literal_refuses_what_is_nearly_an_address(host: str) -> None:
    # Given what has the shape of an address and is none, or is one of a single network
    # When I read it
    # Then that is an error
    with pytest.raises(ValueError, match=r".+"):
        literal(host)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "203.0.113.7",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::808:808",
        "100::1",
        "2001::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2002:808:808::1",
        "3fff::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "4000::1",
    ],
)
def test_other_addresses_are_not_public(address: str) -> None:
    # Given a private, local, shared, reserved, multicast or metadata address, or one that carries such a one
    # When it is judged
    # Then it is not public
    assert not is_public(resolved(address))


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "1.1.1.1", "100.63.255.255", "172.32.0.1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2606:4700::1111"],
)
def test_the_public_internet_is_public(address: str) -> None:
    # Given an address of the public internet
    # When it is judged
    # Then it is public
    assert is_public(resolved(address))


def test_resolved_drops_a_scope() -> None:
    # Given an address as the resolver gives it for one interface
    # When it is read
    # Then it is the address
    assert resolved("fe80::1%eth0") == ip_address("fe80::1")
