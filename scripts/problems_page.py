"""Writes docs/problems.md from the table of problem kinds: ``python scripts/problems_page.py``."""

from pathlib import Path

from octavia.api.http.problems import PROBLEM_KINDS

PAGE = Path(__file__).parent.parent / "docs" / "problems.md"
HEAD = """# Problems

Every error answer is a problem ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)): its `code` is stable,
its `detail` describes the case, its `hint` says how to mend it. Below `/v1` errors have OpenAI's format.
`GET /problems` returns this table, `GET /problems/CODE` a line of it. `make docs` writes this page.

| Code | Status | What it means |
|---|---|---|
"""


def page() -> str:
    """Return the whole page."""
    kinds = sorted((kind.status, code, kind.meaning) for code, kind in PROBLEM_KINDS.items())
    return HEAD + "".join(f"| `{code}` | {status} | {meaning} |\n" for status, code, meaning in kinds)


if __name__ == "__main__":
    PAGE.write_text(page())
