import subprocess
import sys

import pytest

from octavia.worker.processes import REPORT_FD, Kept, stop
from octavia.worker.reports import Reports, parse


def test_without_a_supervisor_reports_go_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a process that nobody supervises
    monkeypatch.delenv(REPORT_FD, raising=False)
    # When it reports
    # Then nothing happens
    assert Reports()({"idle": True}) is None  # type: ignore[func-returns-value]


def test_a_report_arrives_as_it_was() -> None:
    # Given a process that reports and ends
    code = "from octavia.worker.reports import Reports; Reports()({'task': 'a', 'attempt': 2, 'limit': 600.0})"
    kept = Kept("test", [sys.executable, "-c", code], reports=True)
    kept.start()
    # When its lines are read
    lines: list[bytes] = []
    while kept.report_fd is not None:
        lines += kept.read_reports()
    stop([kept], 5)
    # Then the report is there
    assert [parse(line) for line in lines] == [{"task": "a", "attempt": 2, "limit": 600.0}]


def test_a_process_ends_when_nobody_reads_its_reports() -> None:
    # Given a process whose supervisor is dead: the pipe has no other end
    code = f"""
import os
read, write = os.pipe()
os.close(read)
os.environ[{REPORT_FD!r}] = str(write)
from octavia.worker.reports import Reports
Reports()({{"memory": 1}})
print("still here")
"""
    # When it reports
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    # Then it ends
    assert result.returncode == 1
    assert "still here" not in result.stdout
