"""Growing pauses between tries; the caller does the waiting, so that it can be interrupted."""


class Backoff:
    """Pauses that grow from ``first`` to ``longest`` seconds, each ``factor`` times the one before."""

    def __init__(self, first: float, longest: float, *, factor: float = 2.0) -> None:
        self._first = first
        self._longest = longest
        self._factor = factor
        self._pause = first

    def next(self) -> float:
        """Seconds to wait before the next try."""
        pause, self._pause = self._pause, min(self._pause * self._factor, self._longest)
        return pause

    def reset(self) -> None:
        """Begin with the first pause again, after a success."""
        self._pause = self._first
