"""Write the table of settings in docs/operations.md: ``python scripts/settings_table.py``."""

import json
from pathlib import Path
from typing import get_args

from octavia.settings import Settings

PAGE = Path(__file__).parent.parent / "docs" / "operations.md"
BEGIN, END = "<!-- settings: written by `make docs` -->", "<!-- end of settings -->"


def table() -> str:
    """Build a table with one row per setting: its variable, default and description."""
    rows = ["| Variable | Default | Meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        choices = get_args(field.annotation) if field.annotation and get_args(field.annotation) else ()
        words = [field.description or ""]
        if choices and all(isinstance(choice, str) for choice in choices):
            words.append(f"One of {', '.join(choices)}.")
        rows.append(f"| `OCTAVIA_{name.upper()}` | {_default(field.default)} | {' '.join(words).strip()} |")
    return "\n".join(rows)


def page(text: str) -> str:
    """Return the page with its table brought up to date.

    Raises:
      ValueError: The marks around the table are not in it.
    """
    before, _, rest = text.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"{PAGE.name} lacks the lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _default(value: object) -> str:
    text = str(value) if isinstance(value, Path | str) else json.dumps(value)
    return f"`{text}`" if text else ""


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
