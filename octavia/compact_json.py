"""JSON without spaces, and with letters as they are."""

import json
from typing import Any


def dumps(value: Any) -> str:
    """The shortest JSON text of a value."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
