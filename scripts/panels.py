"""Panels of a Grafana dashboard as one SVG, from a Prometheus: the picture in the README, for those without a Grafana.

``python scripts/panels.py --prometheus http://127.0.0.1:9090 --minutes 30 service.svg`` draws stats, bars and lines of
deploy/grafana/service.json; ``--rows Jobs --rows Queues`` only those rows of it. Panels of other types are left out.
"""

import argparse
import html
import json
import math
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

GRAFANA: Final = Path(__file__).parent.parent / "deploy" / "grafana"

_WIDTH, _GRID, _GAP, _POINTS = 1200, 30, 8, 160
_PALETTE: Final = ("#73bf69", "#f2cc0c", "#5794f2", "#ff9830", "#f2495c", "#b877d9", "#8ab8ff", "#ffa6b0")
_COLOURS: Final = {
    "green": "#73bf69", "yellow": "#f2cc0c", "red": "#f2495c", "blue": "#5794f2", "orange": "#ff9830",
    "purple": "#b877d9", "transparent": "none",
}  # fmt: skip
_STYLE: Final = (
    "text{font-family:Inter,Helvetica,Arial,sans-serif;fill:#ccccdc}.t{font-size:13px;font-weight:500}"
    ".r{font-size:15px;font-weight:500}.a{font-size:10px;fill:#8e8ea0}.l{font-size:11px}"
    ".p{fill:#181b1f;stroke:#2c3035}.g{stroke:#2c3035}"
)
_LABEL: Final = re.compile(r"\{\{([^{}]{1,50})\}\}")

Point = tuple[float, float]


@dataclass
class Series:
    """One line of a chart, or one value: its last."""

    name: str
    points: list[Point]

    @property
    def last(self) -> float:
        """The newest value."""
        return self.points[-1][1]


@dataclass
class Span:
    """The time that is shown, in seconds since 1970."""

    begin: float
    end: float

    @property
    def step(self) -> float:
        """Seconds between two points."""
        return max(1.0, (self.end - self.begin) / _POINTS)


class Prometheus:
    """Answers a panel's queries.

    Parameters:
      url: Its address.
      span: The time to show.
      variables: Values of the dashboard's variables.
    """

    def __init__(self, url: str, span: Span, variables: dict[str, str]) -> None:
        self._client = httpx.Client(base_url=url, timeout=30)
        self._span = span
        seconds = max(60, 4 * math.ceil(span.step))
        self._variables = {**variables, "__rate_interval": f"{seconds}s", "__range": f"{int(span.end - span.begin)}s"}

    def ask(self, target: dict[str, Any]) -> list[Series]:
        """Return the series of one query, without those that have no number. Raises ``httpx.HTTPStatusError``."""
        expr = target["expr"]
        for name, value in self._variables.items():
            expr = expr.replace(f"${name}", value)
        span = self._span
        if target.get("instant"):
            parameters = {"query": expr, "time": span.end}
        else:
            parameters = {"query": expr, "start": span.begin, "end": span.end, "step": span.step}
        path = "/api/v1/query" if target.get("instant") else "/api/v1/query_range"
        answer = self._client.post(path, data=parameters).raise_for_status().json()
        found = []
        for each in answer["data"]["result"]:
            values = each["values"] if "values" in each else [each["value"]]
            points = [(float(at), float(value)) for at, value in values if math.isfinite(float(value))]
            legend = _LABEL.sub(lambda label, metric=each["metric"]: metric.get(label[1], ""), target["legendFormat"])
            if points:
                found.append(Series(legend, points))
        return found


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
    return f"{value:.3g} {'B' if unit == 'bytes' else suffix}".strip()


def ticks(highest: float) -> list[float]:
    """Return three to six round numbers from 0 to at least ``highest``."""
    rough = (highest or 1) / 4
    size = 10 ** math.floor(math.log10(rough))
    step = next(factor * size for factor in (1, 2, 2.5, 5, 10) if factor * size >= rough * (1 - 1e-9))
    return [step * i for i in range(math.ceil(highest / step - 1e-9) + 1)] if highest else [0.0, 1.0]


def threshold(value: float, defaults: dict[str, Any]) -> str:
    """Return the colour that a panel's thresholds give a value."""
    colour = "green"
    for step in defaults.get("thresholds", {}).get("steps", ()):
        if step["value"] is None or value >= step["value"]:
            colour = step["color"]
    return _COLOURS[colour]


@dataclass
class Panel:
    """One panel at its place, in pixels."""

    definition: dict[str, Any]
    x: float
    y: float
    width: float
    height: float

    @property
    def defaults(self) -> dict[str, Any]:
        """Unit, thresholds and the like."""
        return dict(self.definition["fieldConfig"]["defaults"])

    def shown(self, value: float) -> str:
        """Return a value in its unit."""
        return shown(value, self.defaults.get("unit", "short"), self.defaults.get("decimals"))

    def draw(self, series: list[Series], span: Span) -> Iterator[str]:
        """Draw frame, title and content."""
        yield f'<rect class="p" x="{self.x}" y="{self.y}" width="{self.width}" height="{self.height}" rx="2"/>'
        yield _text(self.x + 8, self.y + 18, self.definition["title"], "t")
        if not series:
            yield _text(
                self.x + self.width / 2,
                self.y + self.height / 2 + 8,
                self.defaults.get("noValue", "No data"),
                "l",
                "middle",
            )
            return
        draw = {"stat": self._stat, "bargauge": self._bars, "timeseries": self._lines}[self.definition["type"]]
        yield from draw(series, span)

    def _stat(self, series: list[Series], span: Span) -> Iterator[str]:
        value, colour = series[0].last, threshold(series[0].last, self.defaults)
        words = self.shown(value)
        for mapping in self.defaults.get("mappings", ()):
            if known := mapping["options"].get(f"{value:g}"):
                words, colour = known["text"], _COLOURS[known["color"]]
        if self.definition["options"]["graphMode"] == "area":
            place = _Place(
                self.x + 1,
                self.y + self.height - 40,
                self.width - 2,
                39,
                span,
                max(1e-9, *(v for _, v in series[0].points)),
            )
            yield place.line(series[0].points, colour, 0.2)
        yield f'<text x="{self.x + self.width / 2}" y="{self.y + 70}" text-anchor="middle" font-size="30" style="fill:{colour}">{html.escape(words)}</text>'

    def _bars(self, series: list[Series], _span: Span) -> Iterator[str]:
        most = max(1e-9, *(one.last for one in series))
        room = (self.height - 40) / max(len(series), 4)
        for i, one in enumerate(series[: int((self.height - 40) / 22)]):
            y = self.y + 34 + i * max(room, 22)
            width = (self.width - 160) * one.last / most
            yield _text(self.x + 100, y + 12, one.name, "l", "end")
            yield f'<rect x="{self.x + 108}" y="{y}" width="{width:.1f}" height="16" fill="{threshold(one.last, self.defaults)}" opacity=".75"/>'
            yield _text(self.x + 114 + width, y + 12, self.shown(one.last), "l")

    def _lines(self, series: list[Series], span: Span) -> Iterator[str]:
        custom = self.defaults["custom"]
        stacked = custom["stacking"]["mode"] == "normal"
        if stacked:
            series = _stack(series)
        marks = ticks(max(value for one in series for _, value in one.points))
        place = _Place(self.x + 58, self.y + 32, self.width - 70, self.height - 84, span, marks[-1])
        for mark in marks:
            y = place.y_of(mark)
            yield f'<path class="g" d="M{place.x} {y:.1f}h{place.width}"/>'
            yield _text(place.x - 6, y + 3, self.shown(mark), "a", "end")
        for at in _round_times(span):
            yield _text(
                place.x_of(at), place.y + place.height + 14, time.strftime("%H:%M", time.localtime(at)), "a", "middle"
            )
        colours = self._colours(series)
        drawn = list(zip(series, colours, strict=True))
        for one, colour in reversed(drawn) if stacked else drawn:
            yield place.line(one.points, colour, custom["fillOpacity"] / 100)
        x, y = self.x + 12, self.y + self.height - 26
        for one, colour in drawn:
            width = 22 + 6.1 * len(one.name)
            if x + width > self.x + self.width and x > self.x + 12:
                x, y = self.x + 12, y + 15
            if y < self.y + self.height:
                yield f'<path d="M{x:.1f} {y}h10" stroke="{colour}" stroke-width="3"/>' + _text(
                    x + 14, y + 4, one.name, "l"
                )
            x += width

    def _colours(self, series: list[Series]) -> list[str]:
        fixed = {
            rule["matcher"]["options"]: _COLOURS[wanted["value"]["fixedColor"]]
            for rule in self.definition["fieldConfig"]["overrides"]
            for wanted in rule["properties"]
            if wanted["id"] == "color"
        }
        return [fixed.get(one.name, _PALETTE[i % len(_PALETTE)]) for i, one in enumerate(series)]


@dataclass
class _Place:
    """The area of a chart, and where in it a time and a value are."""

    x: float
    y: float
    width: float
    height: float
    span: Span
    highest: float

    def x_of(self, at: float) -> float:
        return self.x + self.width * (at - self.span.begin) / (self.span.end - self.span.begin)

    def y_of(self, value: float) -> float:
        return self.y + self.height * (1 - value / self.highest)

    def line(self, points: Sequence[Point], colour: str, fill: float) -> str:
        """Lines through points that follow each other, and the area below them."""
        drawn = []
        for part in _unbroken(points, 2.5 * self.span.step):
            path = "L".join(f"{self.x_of(at):.1f} {self.y_of(value):.1f}" for at, value in part)
            if len(part) == 1:
                path += "h1"
            first, last, floor = self.x_of(part[0][0]), self.x_of(part[-1][0]), self.y + self.height
            drawn.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
            drawn.append(f'<path d="M{path}L{last:.1f} {floor:.1f}H{first:.1f}Z" fill="{colour}" opacity="{fill}"/>')
        return "".join(drawn)


def _unbroken(points: Sequence[Point], gap: float) -> Iterator[Sequence[Point]]:
    begin = 0
    for i in range(1, len(points) + 1):
        if i == len(points) or points[i][0] - points[i - 1][0] > gap:
            yield points[begin:i]
            begin = i


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


def _text(x: float, y: float, words: str, kind: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(words)}</text>'


def draw(board: dict[str, Any], prometheus: Prometheus, span: Span, rows: Sequence[str] = ()) -> str:
    """Return the dashboard as SVG.

    Parameters:
      rows: Titles of the rows to draw; none: all.
    """
    drawn: list[str] = []
    wanted, top, bottom = True, 0, 44
    unit = (_WIDTH + _GAP) / 24
    for definition in board["panels"]:
        place = definition["gridPos"]
        if definition["type"] == "row":
            wanted = not rows or definition["title"] in rows
            if wanted:
                drawn.append(_text(4, bottom + 22, definition["title"], "r"))
                top, bottom = bottom + _GRID - _GRID * (place["y"] + 1), bottom + _GRID
        elif wanted and definition["type"] in ("stat", "bargauge", "timeseries"):
            height = place["h"] * _GRID - _GAP
            panel = Panel(
                definition, round(place["x"] * unit), top + place["y"] * _GRID, round(place["w"] * unit) - _GAP, height
            )
            series = [one for target in definition["targets"] for one in prometheus.ask(target)]
            drawn.extend(panel.draw(series, span))
            bottom = max(bottom, panel.y + height + _GAP)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-8 0 {_WIDTH + 16} {bottom + 4}" role="img">'
        f"<title>{html.escape(board['title'])}</title><style>{_STYLE}</style>"
        f'<rect x="-8" width="{_WIDTH + 16}" height="{bottom + 4}" fill="#111217"/>'
        f'<text x="4" y="30" font-size="18" font-weight="500">{html.escape(board["title"])}</text>{"".join(drawn)}</svg>\n'
    )


def main() -> None:
    """Draw what the command line says."""
    parser = argparse.ArgumentParser(description="Draw a dashboard's panels as SVG, from a Prometheus.")
    parser.add_argument("out", type=Path, help="File to write")
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090", metavar="URL")
    parser.add_argument("--dashboard", type=Path, default=GRAFANA / "service.json", metavar="FILE")
    parser.add_argument("--minutes", type=float, default=60, help="How far back to look (60)")
    parser.add_argument("--window", default="5m", help="The dashboard's window of rates (5m)")
    parser.add_argument("--rows", action="append", default=[], metavar="TITLE", help="Only this row; may be repeated")
    given = parser.parse_args()
    now = time.time()
    span = Span(now - given.minutes * 60, now)
    prometheus = Prometheus(given.prometheus, span, {"window": given.window, "queue": ".*", "stage": ".*"})
    given.out.write_text(draw(json.loads(given.dashboard.read_text()), prometheus, span, given.rows))


if __name__ == "__main__":
    main()
