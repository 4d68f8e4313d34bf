"""A notification that can be sent again and again."""

import anyio


class Signal:
    """Wakes everybody who waits now; whoever begins to wait later waits for the next notification."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def notify(self) -> None:
        """Wake all who wait."""
        self._event.set()
        self._event = anyio.Event()

    async def wait(self) -> None:
        """Wait for the next notification."""
        await self._event.wait()
