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
from pathlib import Path
from typing import Any, Final, NamedTuple

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
    ".r{font-size:15px;font-weight:500}.h{font-size:18px;font-weight:500}.v{font-size:28px}.a{font-size:10px;fill:#8e8ea0}.l{font-size:11px}"
    ".p{fill:#181b1f;stroke:#2c3035}.g{stroke:#2c3035}"
)
_LABEL: Final = re.compile(r"\{\{([^{}]{1,50})\}\}")

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


class Prometheus:
    """Answers a panel's queries.

    Parameters:
      url: Its address.
      variables: Values of the dashboard's variables.
    """

    def __init__(self, url: str, span: Span, variables: dict[str, str]) -> None:
        self._client = httpx.Client(base_url=url, timeout=30)
        self._span = span
        rates = f"{max(60, 4 * math.ceil(span.step))}s"
        self._variables = {**variables, "__rate_interval": rates, "__range": f"{int(span.end - span.begin)}s"}

    def ask(self, target: dict[str, Any]) -> list[Series]:
        """Return the series of one query, without those that have no number. Raises ``httpx.HTTPStatusError``."""
        expr, span = target["expr"], self._span
        for name, value in self._variables.items():
            expr = expr.replace(f"${name}", value)
        if target["instant"]:
            answer = self._client.get("/api/v1/query", params={"query": expr, "time": span.end})
        else:
            over = {"query": expr, "start": span.begin, "end": span.end, "step": span.step}
            answer = self._client.get("/api/v1/query_range", params=over)
        found = []
        for each in answer.raise_for_status().json()["data"]["result"]:
            values = each.get("values") or [each["value"]]
            points = [(float(at), float(value)) for at, value in values if math.isfinite(float(value))]
            if points:
                found.append(Series(_legend(target["legendFormat"], each["metric"]), points))
        return found


def _legend(pattern: str, labels: dict[str, str]) -> str:
    return _LABEL.sub(lambda label: labels.get(label[1], ""), pattern)


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
        yield _text(self.x + 8, self.y + 18, self.definition["title"], "t")
        if series:
            kinds = {"stat": self._stat, "bargauge": self._bars, "timeseries": self._lines}
            yield from kinds[self.definition["type"]](series, span)
        else:
            words = self.defaults.get("noValue", "No data")
            yield _text(self.x + self.width / 2, self.y + self.height / 2 + 8, words, "l", "middle")

    def _shown(self, value: float) -> str:
        return shown(value, self.defaults.get("unit", "short"), self.defaults.get("decimals"))

    def _stat(self, series: list[Series], span: Span) -> Iterator[str]:
        points, value = series[0].points, series[0].last
        words, colour = self._shown(value), threshold(value, self.defaults)
        for mapping in self.defaults.get("mappings", ()):
            if known := mapping["options"].get(f"{value:g}"):
                words, colour = known["text"], _COLOURS[known["color"]]
        if self.definition["options"]["graphMode"] == "area":
            area = (self.x + 1, self.y + self.height - 36, self.width - 2, 35)
            yield _Chart(area, span, max(1e-9, *(value for _, value in points))).line(points, colour, 0.2)
        yield _text(self.x + self.width / 2, self.y + 64, words, "v", "middle", colour)

    def _bars(self, series: list[Series], _span: Span) -> Iterator[str]:
        most = max(1e-9, *(one.last for one in series))
        for i, one in enumerate(series[: int(self.height - 40) // 28]):
            y, width = self.y + 36 + i * 28, (self.width - 190) * one.last / most
            yield _text(self.x + 112, y + 12, one.name, "l", "end")
            colour = threshold(one.last, self.defaults)
            yield f'<rect x="{self.x + 120}" y="{y}" width="{width:.1f}" height="16" fill="{colour}" opacity=".75"/>'
            yield _text(self.x + 126 + width, y + 12, self._shown(one.last), "l")

    def _lines(self, series: list[Series], span: Span) -> Iterator[str]:
        custom = self.defaults["custom"]
        stacked = custom["stacking"]["mode"] == "normal"
        series = _stack(series) if stacked else series
        marks = ticks(max(value for one in series for _, value in one.points))
        chart = _Chart((self.x + 58, self.y + 32, self.width - 70, self.height - 84), span, marks[-1])
        for mark in marks:
            y = chart.y_of(mark)
            yield f'<path class="g" d="M{chart.x} {y:.1f}h{chart.width}"/>'
            yield _text(chart.x - 6, y + 3, self._shown(mark), "a", "end")
        for at in _round_times(span):
            hour = time.strftime("%H:%M", time.gmtime(at))
            yield _text(chart.x_of(at), chart.y + chart.height + 14, hour, "a", "middle")
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
                yield _text(x + 14, y + 4, name, "l")
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


def _text(x: float, y: float, words: str, kind: str, anchor: str = "start", colour: str = "") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    style = f' style="fill:{colour}"' if colour else ""
    return f'<text class="{kind}" {place}{style}>{html.escape(words)}</text>'


def draw(board: dict[str, Any], prometheus: Prometheus, span: Span, rows: Sequence[str] = ()) -> str:
    """Return the dashboard as SVG.

    Parameters:
      rows: Titles of the rows to draw; none: all.
    """
    drawn = [_text(4, 28, board["title"], "h")]
    wanted, moved, bottom, column = True, 40.0, 40.0, (_WIDTH + _GAP) / 24
    for definition in board["panels"]:
        grid = definition["gridPos"]
        if definition["type"] == "row":
            wanted, moved = not rows or definition["title"] in rows, bottom - grid["y"] * _GRID
            if wanted:
                drawn.append(_text(4, bottom + 22, definition["title"], "r"))
        elif wanted and definition["type"] in ("stat", "bargauge", "timeseries"):
            x, y, width, height = grid["x"] * column, moved + grid["y"] * _GRID, grid["w"] * column, grid["h"] * _GRID
            series = [one for target in definition["targets"] for one in prometheus.ask(target)]
            panel = Panel(definition, (round(x), y, round(width) - _GAP, height - _GAP))
            drawn.extend(panel.draw(series, span))
            bottom = max(bottom, y + height)
    size = f'width="{_WIDTH + 16}" height="{bottom + 4:.0f}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="-8 0 {_WIDTH + 16} {bottom + 4:.0f}" role="img">'
        f"<title>{html.escape(board['title'])}</title><style>{_STYLE}</style>"
        f'<rect x="-8" {size} fill="#111217"/>{"".join(drawn)}</svg>\n'
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
