"""A collector that does not take spans: they are dropped, with few words."""

from collections.abc import Sequence

import pytest
import structlog
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from octavia.tracing.exporter import Patient

SPANS = [ReadableSpan("one"), ReadableSpan("two")]


class Inner(SpanExporter):
    """Answers as it is told to, and counts."""

    def __init__(self) -> None:
        self.answer: SpanExportResult | Exception = SpanExportResult.SUCCESS
        self.asked = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize("wrong", [SpanExportResult.FAILURE, ValueError("what is this")])
def test_it_is_left_alone_while_it_is_away_and_said_once(wrong: SpanExportResult | Exception) -> None:
    # Given a collector that is away
    inner = Inner()
    inner.answer = wrong
    patient = Patient(inner, first=3600, longest=3600)
    with structlog.testing.capture_logs() as said:
        for _ in range(100):
            assert patient.export(SPANS) is SpanExportResult.FAILURE
    # Then it is asked once, and the log has a line
    assert inner.asked == 1
    assert patient.away
    assert [line["event"] for line in said] == ["traces_are_not_sent"]


def test_it_is_asked_again_and_what_was_lost_is_said() -> None:
    inner = Inner()
    inner.answer = SpanExportResult.FAILURE
    patient = Patient(inner, first=0, longest=0)
    with structlog.testing.capture_logs() as said:
        for _ in range(3):
            patient.export(SPANS)
        inner.answer = SpanExportResult.SUCCESS
        assert patient.export(SPANS) is SpanExportResult.SUCCESS
    assert inner.asked == 4
    assert not patient.away
    assert [(line["event"], line["lost"]) for line in said] == [
        ("traces_are_not_sent", 2),
        ("traces_are_sent_again", 6),
    ]
