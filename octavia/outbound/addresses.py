"""Tell public IP addresses from others, in all the ways that one can be written."""

import re
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# One to four decimal, octal (0177) or hexadecimal (0x7f) numbers: all that inet_aton reads.
_NUMBERS: Final = re.compile(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+)){0,3}", re.ASCII | re.IGNORECASE)

_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")
# In addition to the networks that any release of the ipaddress module calls multicast or not global.
_REFUSED: Final[tuple[Network, ...]] = (
    IPv4Network("168.63.129.16/32"),  # Azure's metadata and agents, on an address that looks public
    IPv4Network("192.0.0.0/24"),  # protocol assignments; Oracle's metadata
    IPv4Network("192.88.99.0/24"),  # 6to4 relays
    IPv4Network("240.0.0.0/4"),
    IPv6Network("2001::/23"),  # protocol assignments; Teredo, which carries IPv4 addresses
    IPv6Network("2002::/16"),  # 6to4, as well
    IPv6Network("3fff::/20"),  # documentation
)


def literal(host: str) -> Address | None:
    """Parse a host that is an IP address in any notation; returns None for a name.

    Parameters:
      host: The host of a URL, without brackets.

    Raises:
      ValueError: It looks like an address but is not one.
    """
    if ":" in host:
        if "%" in host:
            raise ValueError(f"{host} belongs to one network only")
        return unmapped(IPv6Address(host))
    if not _NUMBERS.fullmatch(host):
        return None
    try:
        return IPv4Address(socket.inet_aton(host))
    except OSError:
        raise ValueError(f"{host} is not an address") from None


def resolved(text: str) -> Address:
    """Parse an address from the resolver, which may append a scope (``%eth0``)."""
    return unmapped(ip_address(text.partition("%")[0]))


def unmapped(address: Address) -> Address:
    """Turn an IPv4-mapped IPv6 address into the IPv4 address; return others unchanged."""
    return getattr(address, "ipv4_mapped", None) or address


def is_public(address: Address) -> bool:
    """Return whether an address is public: not private, local, shared, reserved, multicast or for metadata."""
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            # IPv6-only networks reach IPv4 hosts through NAT64: judge the IPv4 address that the packets go to.
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in _GLOBAL_UNICAST:
            return False
    if not address.is_global or address.is_multicast:
        return False
    return not any(address in network for network in _REFUSED)
