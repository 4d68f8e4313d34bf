"""What an operator allows beyond the public internet: ``OCTAVIA_OUTBOUND_ALLOW``."""

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_network

from octavia.outbound.addresses import Address, Network, is_public


@dataclass(frozen=True, slots=True)
class Allowlist:
    """Hosts by name, whatever address they have, and networks."""

    hosts: frozenset[str]
    networks: tuple[Network, ...]

    @classmethod
    @lru_cache(maxsize=8)
    def parse(cls, text: str) -> "Allowlist":
        """Read names, addresses and networks, separated by commas."""
        hosts, networks = set(), []
        for part in filter(None, (part.strip().lower() for part in text.split(","))):
            try:
                networks.append(ip_network(part.strip("[]"), strict=False))
            except ValueError:
                hosts.add(part.rstrip("."))
        return cls(frozenset(hosts), tuple(networks))

    def permits(self, host: str, address: Address) -> bool:
        """Whether Octavia may go to this address of this host."""
        if is_public(address) or self.names(host):
            return True
        return any(address.version == network.version and address in network for network in self.networks)

    def names(self, host: str) -> bool:
        """Whether the host is listed by its name."""
        return host.lower().rstrip(".") in self.hosts
