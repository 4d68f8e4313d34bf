"""A span, and what is told of it.

Attributes are facts about the work: ids, stages, counts, models. Never what a user sent, nor a file's name. An error is
given by its code, because its message may quote such things.
"""

from collections.abc import Mapping
from typing import Literal

Value = str | int | float | bool
Attributes = Mapping[str, Value | None]
"""By name; those that are None are left out."""

Kind = Literal["internal", "server", "producer", "consumer"]


class Span:
    """A span under way; this class itself is the span of a process that does not trace."""

    def note(self, attributes: Attributes) -> None:
        """Add attributes."""

    def fail(self, code: str) -> None:
        """Mark the span as failed, with the error's code."""

    def rename(self, name: str) -> None:
        """Give the span a name that was not known when it began."""

    def end(self) -> None:
        """End the span, from any thread; ending it again changes nothing."""
