"""A TCP proxy that can be cut, shared with ``make chaos``."""

from chaos.proxy import Proxy

__all__ = ["Proxy"]
