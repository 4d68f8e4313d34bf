"""Docstrings begin with a verb or with a noun that names the thing, never with a relative clause."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("octavia", "migrations", "rabbitmq", "benchmarks", "chaos", "scripts")
RELATIVE = re.compile(r"(?:What|Who|Whom|Whose|Which|Whether|How|Why|Where|When|That|Those|The same|Of|As)\b(?!\?)")


def test_no_docstring_begins_with_a_relative_clause() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text.splitlines()[0]}"
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line, text in docstrings(path)
        if RELATIVE.match(text)
    ]
    assert not found, "\n".join(found)


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of every docstring, those below assignments included."""
    for node in ast.walk(ast.parse(path.read_text())):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else ():
            match statement:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    yield statement.lineno, text
