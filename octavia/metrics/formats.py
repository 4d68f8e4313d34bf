"""The formats of Prometheus, chosen by the client."""

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder


def acceptable(accept: str) -> str:
    """Return an ``Accept`` header as it is; empty for one whose version is no number, on which the library fails."""
    try:
        choose_encoder(accept)
    except (TypeError, ValueError):
        return ""
    return accept


def encoded(accept: str, registry: CollectorRegistry) -> tuple[bytes, str]:
    """Return all metrics in the format that a client accepts, and its media type."""
    encode, media_type = choose_encoder(acceptable(accept))
    return encode(registry), media_type
