"""Write the settings where operators look for them: docs/operations.md, compose.yaml and .env.example.

``python scripts/settings_table.py``. Compose gives containers no variable that its file does not name: so it names all.
"""

import json
import textwrap
from pathlib import Path
from typing import Final, get_args

from pydantic.fields import FieldInfo

from octavia.settings import Settings

ROOT: Final = Path(__file__).parent.parent
PAGE: Final = ROOT / "docs" / "operations.md"
BEGIN, END = "<!-- settings: written by `make docs` -->", "<!-- end of settings -->"
COMPOSE: Final = ROOT / "compose.yaml"
EXAMPLE: Final = ROOT / ".env.example"
BEGIN_LINES, END_LINES = "# settings: written by `make docs`", "# end of settings"
IN_COMPOSE: Final = frozenset(
    f"OCTAVIA_{name}"
    for name in (
        *("AUTH", "BROKER_URL", "DATABASE_DIRECT_URL", "DATABASE_URL", "DATA_DIR", "HOST", "METRICS_HOST"),
        *("METRICS_PORT", "MODELS_DIR", "PORT"),
    )
)
"""The settings that compose.yaml decides; the others may be written into .env."""


def table() -> str:
    """Build a table with one row per setting: its variable, default and description."""
    rows = ["| Variable | Default | Meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = _default(field.default)
        rows.append(f"| `OCTAVIA_{name.upper()}` | {f'`{default}`' if default else ''} | {_meaning(field)} |")
    return "\n".join(rows)


def compose_lines() -> str:
    """Name each setting without a value: Compose then takes it from .env, and leaves it out if it is not there."""
    return "\n".join(f"  {name}:" for name in Settings.variables() if name not in IN_COMPOSE)


def example_lines() -> str:
    """Explain each setting; its default follows as a comment."""
    found = []
    for name, field in Settings.model_fields.items():
        if (variable := f"OCTAVIA_{name.upper()}") not in IN_COMPOSE:
            meaning = textwrap.wrap(_meaning(field), 118, initial_indent="# ", subsequent_indent="# ")
            found.append("\n".join([*meaning, f"# {variable}={_default(field.default)}"]))
    return "\n\n".join(found)


def page(text: str) -> str:
    """Return the page with its table brought up to date; raises ``ValueError`` if the marks around it are missing."""
    return _between(text, BEGIN, table(), END)


def compose(text: str) -> str:
    """Return compose.yaml with its list of settings brought up to date; raises ``ValueError`` as ``page``."""
    return _between(text, BEGIN_LINES, compose_lines(), f"  {END_LINES}")


def example(text: str) -> str:
    """Return .env.example with its settings brought up to date; raises ``ValueError`` as ``page``."""
    return _between(text, BEGIN_LINES, example_lines(), END_LINES)


def _between(text: str, begin: str, made: str, end: str) -> str:
    before, _, rest = text.partition(begin)
    _, mark, after = rest.partition(end)
    if not mark:
        raise ValueError(f"the lines {begin!r} and {end!r} are missing")
    return f"{before}{begin}\n{made}\n{end}{after}"


def _default(value: object) -> str:
    return str(value) if isinstance(value, Path | str) else json.dumps(value)


def _meaning(field: FieldInfo) -> str:
    """Return the description, and the words that the setting may be."""
    choices = get_args(field.annotation) if field.annotation and get_args(field.annotation) else ()
    words = [field.description or ""]
    if choices and all(isinstance(choice, str) for choice in choices):
        words.append(f"One of {', '.join(choices)}.")
    return " ".join(words).strip()


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
    COMPOSE.write_text(compose(COMPOSE.read_text()))
    EXAMPLE.write_text(example(EXAMPLE.read_text()))
