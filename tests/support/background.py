"""The background work that there is in the tree, and a way to break it."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

OCTAVIA = Path(__file__).parents[2] / "octavia"

_STARTERS = {"Thread", "Timer", "start_soon", "create_task", "ensure_future", "ThreadPoolExecutor"}


def names(*rooms: str) -> list[str]:
    """The names of all background work in these rooms: every ``Turns("NAME", …)``."""
    found = [
        str(call.args[0].value)
        for room in rooms
        for path in sorted((OCTAVIA / room).rglob("*.py"))
        if "Turns(" in path.read_text()  # most have none, and parsing them all takes a second
        for call in _calls(path)
        if _called(call) == "Turns" and isinstance(call.args[0], ast.Constant)
    ]
    assert found
    return sorted(set(found))


def starters() -> dict[str, bool]:
    """The modules that start threads or tasks, and whether they use ``octavia.background``."""
    found = {}
    for path in sorted(OCTAVIA.rglob("*.py")):
        called = {_called(call) for call in _calls(path)}
        if called & _STARTERS:
            found[str(path.relative_to(OCTAVIA))] = "octavia.background" in path.read_text()
    return found


def _calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


class Fault:
    """Raises an error that nobody expected at its first two calls; from then on it calls ``then``."""

    def __init__(self, then: Callable[..., Any] = lambda *_, **__: None) -> None:
        self._then = then
        self.calls = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        if self.calls <= 2:
            raise RuntimeError("nobody expected this")
        return self._then(*args, **kwargs)

    @property
    def over(self) -> bool:
        """True once it was called again, after all."""
        return self.calls > 2
