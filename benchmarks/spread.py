"""Summarize many measured times in a line of text."""

from collections.abc import Sequence


def report(what: str, seconds: Sequence[float]) -> None:
    """Print median, 95th and 99th percentile in milliseconds."""
    ordered = sorted(value * 1000 for value in seconds)
    p50, p95, p99 = (ordered[min(int(len(ordered) * share), len(ordered) - 1)] for share in (0.5, 0.95, 0.99))
    print(f"{what:40} p50 {p50:6.1f} ms   p95 {p95:6.1f} ms   p99 {p99:6.1f} ms   of {len(ordered)}", flush=True)
