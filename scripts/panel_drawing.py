"""Draws one panel of a Grafana dashboard as SVG, dark as Grafana's."""

import html
import math
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple

DRAWN: Final = ("stat", "bargauge", "state-timeline", "timeseries")
"""The types of panels that can be drawn."""

STYLE: Final = (
    "text{font-family:Inter,Helvetica,Arial,sans-serif;fill:#ccccdc}.t{font-size:13px;font-weight:500}"
    ".r{font-size:15px;font-weight:500}.h{font-size:18px;font-weight:500}.v{font-size:28px}"
    ".a{font-size:10px;fill:#8e8ea0}.l{font-size:11px}.p{fill:#181b1f;stroke:#2c3035}.g{stroke:#2c3035}"
)
_PALETTE: Final = ("#73bf69", "#f2cc0c", "#5794f2", "#ff9830", "#f2495c", "#b877d9", "#8ab8ff", "#ffa6b0")
_COLOURS: Final = {
    "green": "#73bf69", "yellow": "#f2cc0c", "red": "#f2495c", "blue": "#5794f2", "orange": "#ff9830",
    "purple": "#b877d9", "transparent": "none",
}  # fmt: skip
_POINTS = 160

Point = tuple[float, float]


class Series(NamedTuple):
    """One line of a chart, or one value: its last."""

    name: str
    points: list[Point]

    @property
    def last(self) -> float:
        """The newest value."""
        return self.points[-1][1]


class Span(NamedTuple):
    """The time that is shown, in seconds since 1970."""

    begin: float
    end: float

    @property
    def step(self) -> float:
        """Seconds between two points."""
        return max(1.0, (self.end - self.begin) / _POINTS)


def shown(value: float, unit: str, decimals: int | None = None) -> str:
    """Return a value as Grafana would write it in this unit."""
    if unit == "percentunit":
        return f"{value * 100:.{1 if decimals is None else decimals}f} %"
    if unit == "s":
        for size, name in ((86400, "d"), (3600, "h"), (60, "min")):
            if abs(value) >= 2 * size:
                return f"{value / size:.3g} {name}"
        return f"{value:.3g} s" if abs(value) >= 1 or not value else f"{value * 1000:.3g} ms"
    suffix = {"bytes": "iB", "Bps": "B/s", "reqps": "/s", "ops": "/s"}.get(unit, unit.removeprefix("suffix:").strip())
    suffix = "" if unit == "short" else suffix
    base = 1024 if unit == "bytes" else 1000
    for size, letter in ((base**3, "G"), (base**2, "M"), (base, "k" if base == 1000 else "K")):
        if abs(value) >= size:
            return f"{value / size:.3g} {letter}{suffix}"
    number = f"{value:.3g}" if decimals is None else f"{value:.{decimals}f}"
    return f"{number} {'B' if unit == 'bytes' else suffix}".strip()


def ticks(highest: float, unit: str) -> list[float]:
    """Return three to six round numbers of a unit, from 0 to at least ``highest``."""
    if not highest:
        return [0.0, 1.0]
    rough = highest / 4
    size = 1.0
    if unit == "s" and rough > 10:
        size = next((size for size in (86400.0, 3600.0, 60.0) if rough >= size / 2), 1.0)
    elif unit == "bytes":
        size = 1024.0 ** max(0, math.floor(math.log(highest, 1024) + 1e-9))
    power = size * 10 ** math.floor(math.log10(rough / size))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * (1 - 1e-9))
    return [step * i for i in range(math.ceil(highest / step - 1e-9) + 1)]


def threshold(value: float, defaults: dict[str, Any]) -> str:
    """Return the colour that a panel's thresholds give a value."""
    colour = "green"
    for step in defaults.get("thresholds", {}).get("steps", ()):
        if step["value"] is None or value >= step["value"]:
            colour = step["color"]
    return _COLOURS[colour]


class Panel:
    """One panel.

    Parameters:
      place: x, y, width and height in pixels.
    """

    def __init__(self, definition: dict[str, Any], place: tuple[float, float, float, float]) -> None:
        self.definition = definition
        self.defaults: dict[str, Any] = definition["fieldConfig"]["defaults"]
        self.x, self.y, self.width, self.height = place

    def draw(self, series: list[Series], span: Span) -> Iterator[str]:
        """Draw frame, title and content."""
        yield f'<rect class="p" x="{self.x}" y="{self.y}" width="{self.width}" height="{self.height}" rx="2"/>'
        yield text(self.x + 8, self.y + 18, self.definition["title"], "t")
        if series:
            kinds = {"stat": self._stat, "bargauge": self._bars, "state-timeline": self._states}
            yield from kinds.get(self.definition["type"], self._lines)(series, span)
        else:
            words = self.defaults.get("noValue", "No data")
            yield text(self.x + self.width / 2, self.y + self.height / 2 + 8, words, "l", "middle")

    def _shown(self, value: float) -> str:
        return shown(value, self.defaults.get("unit", "short"), self.defaults.get("decimals"))

    def _stat(self, series: list[Series], span: Span) -> Iterator[str]:
        points, value = series[0].points, series[0].last
        words, colour = self._state(value)
        if self.definition["options"]["graphMode"] == "area":
            area = (self.x + 1, self.y + self.height - 36, self.width - 2, 35)
            yield _Chart(area, span, max(1e-9, *(value for _, value in points))).line(points, colour, 0.2)
        yield text(self.x + self.width / 2, self.y + 64, words, "v", "middle", colour)

    def _state(self, value: float) -> tuple[str, str]:
        """Words and colour for a value."""
        for mapping in self.defaults.get("mappings", ()):
            if known := mapping["options"].get(f"{value:g}"):
                return known["text"], _COLOURS[known["color"]]
        return self._shown(value), threshold(value, self.defaults)

    def _states(self, series: list[Series], span: Span) -> Iterator[str]:
        room = (self.height - 46) / len(series)
        chart = _Chart((self.x + 90, self.y + 30, self.width - 102, self.height - 46), span, 1.0)
        for i, one in enumerate(series):
            y = chart.y + i * room
            yield text(chart.x - 6, y + room / 2 + 4, one.name, "l", "end")
            for value, part in _runs(one.points):
                begin, end = chart.x_of(part[0]), chart.x_of(min(part[1] + span.step, span.end))
                size = f'x="{begin:.0f}" y="{y:.1f}" width="{end - begin:.0f}" height="{room * 0.8:.1f}"'
                yield f'<rect {size} fill="{self._state(value)[1]}" opacity=".6"/>'

    def _bars(self, series: list[Series], _span: Span) -> Iterator[str]:
        most = max(1e-9, *(one.last for one in series))
        for i, one in enumerate(series[: int(self.height - 40) // 28]):
            y, width = self.y + 36 + i * 28, (self.width - 190) * one.last / most
            yield text(self.x + 112, y + 12, one.name, "l", "end")
            colour = threshold(one.last, self.defaults)
            yield f'<rect x="{self.x + 120}" y="{y}" width="{width:.1f}" height="16" fill="{colour}" opacity=".75"/>'
            yield text(self.x + 126 + width, y + 12, self._shown(one.last), "l")

    def _lines(self, series: list[Series], span: Span) -> Iterator[str]:
        custom = self.defaults["custom"]
        stacked = custom["stacking"]["mode"] == "normal"
        series = _stack(series) if stacked else series
        marks = ticks(max(value for one in series for _, value in one.points), self.defaults["unit"])
        chart = _Chart((self.x + 58, self.y + 32, self.width - 70, self.height - 84), span, marks[-1])
        for mark in marks:
            y = chart.y_of(mark)
            yield f'<path class="g" d="M{chart.x} {y:.1f}h{chart.width}"/>'
            yield text(chart.x - 6, y + 3, self._shown(mark), "a", "end")
        for at in _round_times(span):
            hour = time.strftime("%H:%M", time.gmtime(at))
            yield text(chart.x_of(at), chart.y + chart.height + 14, hour, "a", "middle")
        drawn = [(one, self._colour(one.name, i)) for i, one in enumerate(series)]
        for one, colour in reversed(drawn) if stacked else drawn:
            yield chart.line(one.points, colour, custom["fillOpacity"] / 100)
        yield from self._legends([(one.name, colour) for one, colour in drawn])

    def _legends(self, drawn: list[tuple[str, str]]) -> Iterator[str]:
        x, y = self.x + 12, self.y + self.height - 26
        for name, colour in drawn:
            width = 24 + 6.1 * len(name)
            if x + width > self.x + self.width and x > self.x + 12:
                x, y = self.x + 12, y + 15
            if y < self.y + self.height:  # as many as there is room for
                yield f'<path d="M{x:.1f} {y}h10" stroke="{colour}" stroke-width="3"/>'
                yield text(x + 14, y + 4, name, "l")
            x += width

    def _colour(self, name: str, i: int) -> str:
        for rule in self.definition["fieldConfig"]["overrides"]:
            for wanted in rule["properties"]:
                if wanted["id"] == "color" and rule["matcher"]["options"] == name:
                    return _COLOURS[wanted["value"]["fixedColor"]]
        return _PALETTE[i % len(_PALETTE)]


class _Chart:
    """An area, and where in it a time and a value are."""

    def __init__(self, area: tuple[float, float, float, float], span: Span, highest: float) -> None:
        self.x, self.y, self.width, self.height = area
        self._span = span
        self._highest = highest

    def x_of(self, at: float) -> float:
        return self.x + self.width * (at - self._span.begin) / (self._span.end - self._span.begin)

    def y_of(self, value: float) -> float:
        return self.y + self.height * (1 - value / self._highest)

    def line(self, points: Sequence[Point], colour: str, fill: float) -> str:
        """Lines through points that follow each other, and the area below them."""
        drawn = []
        for part in _unbroken(points, 2.5 * self._span.step):
            path = "L".join(f"{self.x_of(at):.0f} {self.y_of(value):.1f}" for at, value in part)
            first, last, floor = self.x_of(part[0][0]), self.x_of(part[-1][0]), self.y + self.height
            drawn.append(f'<path d="M{path}h1" fill="none" stroke="{colour}" stroke-width="1.5"/>')
            drawn.append(f'<path d="M{path}L{last:.0f} {floor}H{first:.0f}" fill="{colour}" opacity="{fill}"/>')
        return "".join(drawn)


def _unbroken(points: Sequence[Point], gap: float) -> Iterator[Sequence[Point]]:
    begin = 0
    for i in range(1, len(points) + 1):
        if i == len(points) or points[i][0] - points[i - 1][0] > gap:
            yield points[begin:i]
            begin = i


def _runs(points: Sequence[Point]) -> Iterator[tuple[float, tuple[float, float]]]:
    """Each value, and from when until when it was that."""
    for value, part in groupby(points, key=lambda point: point[1]):
        times = [at for at, _ in part]
        yield value, (times[0], times[-1])


def _stack(series: list[Series]) -> list[Series]:
    """Put each series on those before it."""
    below: dict[float, float] = {}
    stacked = []
    for one in series:
        for at, value in one.points:
            below[at] = below.get(at, 0.0) + value
        stacked.append(Series(one.name, [(at, below[at]) for at, _ in one.points]))
    return stacked


def _round_times(span: Span) -> Iterator[float]:
    steps = (60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400)
    step = next((step for step in steps if (span.end - span.begin) / step <= 6), steps[-1])
    at = math.ceil(span.begin / step) * step
    while at < span.end:
        yield at
        at += step


def text(x: float, y: float, words: str, kind: str, anchor: str = "start", colour: str = "") -> str:
    """Return words at a place.

    Parameters:
      kind: Their class in ``STYLE``.
      anchor: Which part of them is there: start, middle or end.
    """
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    style = f' style="fill:{colour}"' if colour else ""
    return f'<text class="{kind}" {place}{style}>{html.escape(words)}</text>'
