"""The start of the command line, which must not wait for packages that its command does not use."""

import json
import subprocess
import sys

import pytest

HEAVY = {
    *("numpy", "av", "ctranslate2", "faster_whisper", "onnxruntime", "piper", "kokoro_onnx", "sentencepiece"),
    *("sqlalchemy", "sqlmodel", "alembic", "psycopg", "fsspec", "pika", "dramatiq", "periodiq"),
    *("starlette", "uvicorn", "websockets", "sse_starlette", "httpx_sse", "langcodes"),
}

SCRIPT = """
import json, sys
code = None
try:
    {statement}
except SystemExit as left:
    code = left.code
print(json.dumps([code, sorted({{name.partition(".")[0] for name in sys.modules}})]), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "statement",
    [
        "import octavia.cli.app",
        "sys.argv = ['octavia', '--help']; from octavia.cli import main; main()",
        "sys.argv = ['octavia', 'dub', '--help']; from octavia.cli import main; main()",
        "sys.argv = ['octavia', 'version']; from octavia.cli import main; main()",
        "import octavia.cli.local.order, octavia.cli.jobs.utterances",
    ],
)
def test_app_starts_without_heavy_packages(statement: str) -> None:
    # When a process of its own runs a command that does no work
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(statement=statement)], capture_output=True, text=True, check=True
    )
    # Then it has loaded nothing that only working commands need
    code, loaded = json.loads(process.stderr)
    assert code in (None, 0)
    assert HEAVY.isdisjoint(loaded), HEAVY.intersection(loaded)


def test_watching_a_job_needs_no_database() -> None:
    code = "import sys, octavia.cli.jobs.watch; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
