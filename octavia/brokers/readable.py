"""Messages and headers that anybody may have written, as text and JSON that do no harm where they are shown."""

from datetime import datetime
from typing import Any


def escaped(value: object) -> str:
    """Escape unprintable characters, so that a message cannot control a terminal."""
    text = value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def plain(value: object) -> Any:
    """Convert the value of a header to a value that JSON has."""
    match value:
        case dict():
            return {escaped(name): plain(part) for name, part in value.items()}
        case list():
            return [plain(part) for part in value]
        case bool() | int() | float() | None:
            return value
        case datetime():
            return value.isoformat()
        case _:
            return escaped(value)
