"""Write docs/problems.md from the table of error codes: ``python scripts/problems_page.py``."""

from pathlib import Path

from octavia.api.http.problem_types import MEANINGS
from octavia.api.http.problems import STATUS

PAGE = Path(__file__).parent.parent / "docs" / "problems.md"
HEAD = """# Problems

Every error answer is a problem ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)): its `code` is stable,
its `detail` names the case in hand, its `hint` says how to mend it. Under `/v1` it has OpenAI's shape.
`GET /problems` gives this table, `GET /problems/CODE` a line of it. Written by `make docs`.

| Code | Status | What it means |
|---|---|---|
"""


def page() -> str:
    """Build the whole page."""
    rows = [
        f"| `{code}` | {STATUS[code]} | {MEANINGS[code]} |\n" for code in sorted(STATUS, key=lambda c: (STATUS[c], c))
    ]
    return HEAD + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(page())
