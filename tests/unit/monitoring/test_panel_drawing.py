"""Panels that scripts/panels.py draws can be read as Grafana's can."""

from typing import Any
from xml.etree import ElementTree

import pytest

from scripts.panel_drawing import Panel, Series, Span, shown, ticks


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0.0, "s", "0 s"),
        (0.0123, "s", "12.3 ms"),
        (90, "s", "90 s"),
        (300, "s", "5 min"),
        (3 * 86400, "s", "3 d"),
        (0.0512, "percentunit", "5.1 %"),
        (3 * 1024**3, "bytes", "3 GiB"),
        (2_000_000, "Bps", "2 MB/s"),
        (12, "suffix: /h", "12 /h"),
        (7, "short", "7"),
    ],
)
def test_values_have_units(value: float, unit: str, words: str) -> None:
    assert shown(value, unit) == words


@pytest.mark.parametrize(
    ("highest", "unit", "marks"),
    [
        (0, "short", [0, 1]),
        (9, "short", [0, 2.5, 5, 7.5, 10]),
        (270, "s", [0, 120, 240, 360]),
        (3 * 1024**3, "bytes", [0, 1024**3, 2 * 1024**3, 3 * 1024**3]),
    ],
)
def test_axes_have_round_numbers(highest: float, unit: str, marks: list[float]) -> None:
    assert ticks(highest, unit) == marks


def test_names_are_shown_as_text() -> None:
    # Given a series whose name looks like markup, in a panel whose title does
    defaults = {"unit": "short", "custom": {"stacking": {"mode": "none"}, "fillOpacity": 8}}
    config = {"defaults": defaults, "overrides": []}
    definition: dict[str, Any] = {"type": "timeseries", "title": "<b>&", "fieldConfig": config}
    series = [Series("</svg><script>", [(0.0, 1.0), (10.0, 3.0)])]
    # When it is drawn
    drawn = "".join(Panel(definition, (0, 0, 400, 240)).draw(series, Span(0.0, 600.0)))
    # Then both are words of a picture
    words = {element.text for element in ElementTree.fromstring(f"<svg>{drawn}</svg>").iter("text")}
    assert {"<b>&", "</svg><script>"} <= words


def test_a_panel_without_data_says_so() -> None:
    definition: dict[str, Any] = {"type": "stat", "title": "Jobs", "fieldConfig": {"defaults": {"noValue": "no job"}}}
    assert "no job" in "".join(Panel(definition, (0, 0, 100, 100)).draw([], Span(0.0, 600.0)))
