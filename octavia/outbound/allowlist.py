"""The hosts and networks that an operator allows besides the public internet: ``OCTAVIA_OUTBOUND_ALLOW``."""

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_network

from octavia.outbound.addresses import Address, Network, is_public


@dataclass(frozen=True, slots=True)
class Allowlist:
    """Allowed host names, with any address, and allowed networks."""

    hosts: frozenset[str]
    networks: tuple[Network, ...]

    @classmethod
    @lru_cache(maxsize=8)
    def parse(cls, text: str) -> "Allowlist":
        """Parse names, addresses and networks, separated by commas; a part that is no network is a name."""
        hosts, networks = set(), []
        for part in filter(None, (part.strip().lower() for part in text.split(","))):
            try:
                networks.append(ip_network(part.strip("[]"), strict=False))
            except ValueError:
                hosts.add(part.rstrip("."))
        return cls(frozenset(hosts), tuple(networks))

    def permits(self, host: str, address: Address) -> bool:
        """Return whether Octavia may connect to this address of this host."""
        return is_public(address) or self.names(host) or any(address in network for network in self.networks)

    def names(self, host: str) -> bool:
        """Return whether the host is listed by name."""
        return host.lower().rstrip(".") in self.hosts
