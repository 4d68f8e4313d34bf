"""What a process imports: nobody waits for libraries that the command or the worker in question does not use.

Modules are counted, not seconds: that holds on a busy machine too.
"""

import json
import subprocess
import sys

import pytest

HEAVY = {
    *("numpy", "av", "ctranslate2", "faster_whisper", "onnxruntime", "piper", "kokoro_onnx", "sentencepiece"),
    *("sqlalchemy", "sqlmodel", "alembic", "psycopg", "fsspec", "pika", "dramatiq", "periodiq"),
    *("starlette", "uvicorn", "websockets", "sse_starlette", "httpx_sse", "httpx", "httpcore", "anyio"),
    *("langcodes", "pysubs2", "opentelemetry", "prometheus_client", "standardwebhooks", "psutil"),
    *("pydantic_settings", "structlog", "charset_normalizer", "asyncio", "multiprocessing"),
}
"""All that some process needs, and a command that does no work does not."""

SCRIPT = """
import json, sys
code = None
try:
    {statement}
except SystemExit as left:
    code = left.code
print(json.dumps([code, sorted({{name.partition(".")[0] for name in sys.modules}})]), file=sys.stderr)
"""
WORKER = "import octavia.worker.child; from octavia.actors import declare"
TRANSLATE = "sys.argv = ['octavia', 'translate', '--text', 'Good morning.', '--from', 'en', '--to', 'es']"


def imported(statement: str) -> set[str]:
    """The packages that a process of its own has imported after a statement, which succeeds."""
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(statement=statement)], capture_output=True, text=True, check=True
    )
    code, names = json.loads(process.stderr.splitlines()[-1])
    assert code in (None, 0), process.stderr
    return set(names)


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
def test_a_command_that_does_no_work_imports_nothing_heavy(statement: str) -> None:
    found = imported(statement)
    assert "rich" in found
    assert HEAVY.isdisjoint(found), HEAVY & found


def test_watching_a_job_needs_no_database() -> None:
    assert "sqlalchemy" not in imported("import octavia.cli.jobs.watch")


def test_a_worker_that_has_just_started_has_no_engine() -> None:
    # Given a process that can take its first message
    found = imported(WORKER)
    assert "dramatiq" in found
    # Then it has waited for no library of a stage, of another deployment, or of what its supervisor does
    late = {"av", "ctranslate2", "faster_whisper", "onnxruntime", "piper", "kokoro_onnx", "sentencepiece", "pysubs2"}
    late |= {"alembic", "psycopg", "pika", "periodiq", "starlette", "uvicorn", "httpx", "anyio", "langcodes"}
    assert late.isdisjoint(found), late & found


@pytest.mark.parametrize(
    ("stage", "used", "others"),
    [
        ("transcribe", "faster_whisper", {"piper", "sentencepiece"}),
        ("translate", "ctranslate2", {"av", "faster_whisper", "onnxruntime", "piper"}),
        ("synthesize", "piper", {"faster_whisper", "ctranslate2", "sentencepiece"}),
    ],
)
def test_a_worker_has_the_libraries_of_its_own_stage_alone(stage: str, used: str, others: set[str]) -> None:
    engine = {
        "transcribe": "octavia.engines.recognition.whisper",
        "translate": "octavia.engines.translation.ctranslate, octavia.engines.translation.keeping",
        "synthesize": "octavia.engines.voices.piper",
    }[stage]
    # Given a process that has done a task of one stage
    found = imported(f"{WORKER}; import octavia.actors.{stage}, {engine}")
    # Then it has the engine of that stage, and no other's
    assert used in found
    assert others.isdisjoint(found), others & found


def test_a_text_is_translated_without_what_recordings_and_services_need() -> None:
    # When a text is translated by the command itself
    found = imported(f"{TRANSLATE}; from octavia.cli import main; main()")
    # Then its engine is there, and nothing of sound, media, migrations, brokers and HTTP
    assert "ctranslate2" in found
    late = {"av", "faster_whisper", "onnxruntime", "piper", "pysubs2", "langcodes", "alembic", "periodiq", "pika"}
    late |= {"starlette", "uvicorn", "httpx", "httpcore", "anyio", "opentelemetry", "psutil", "charset_normalizer"}
    assert late.isdisjoint(found), late & found
