"""Panels of a Grafana dashboard as one SVG, from a Prometheus: the picture in the README, for those without a Grafana.

``python scripts/panels.py --prometheus http://127.0.0.1:9090 --minutes 30 service.svg`` draws
deploy/grafana/service.json; ``--rows Jobs --rows Queues`` only those rows of it. Types of panels that
``panel_drawing`` does not know are left out.
"""

import argparse
import html
import json
import math
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import httpx
from panel_drawing import DRAWN, STYLE, Panel, Series, Span, text

GRAFANA: Final = Path(__file__).parent.parent / "deploy" / "grafana"

_WIDTH, _GRID, _GAP = 1200, 30, 8
_LABEL: Final = re.compile(r"\{\{([^{}]{1,50})\}\}")


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


def draw(board: dict[str, Any], prometheus: Prometheus, span: Span, rows: Sequence[str] = ()) -> str:
    """Return the dashboard as SVG.

    Parameters:
      rows: Titles of the rows to draw; none: all.
    """
    drawn = [text(4, 28, board["title"], "h")]
    wanted, moved, bottom, column = True, 40.0, 40.0, (_WIDTH + _GAP) / 24
    for definition in board["panels"]:
        grid = definition["gridPos"]
        if definition["type"] == "row":
            wanted, moved = not rows or definition["title"] in rows, bottom - grid["y"] * _GRID
            if wanted:
                drawn.append(text(4, bottom + 22, definition["title"], "r"))
        elif wanted and definition["type"] in DRAWN:
            x, y, width, height = grid["x"] * column, moved + grid["y"] * _GRID, grid["w"] * column, grid["h"] * _GRID
            series = [one for target in definition["targets"] for one in prometheus.ask(target)]
            panel = Panel(definition, (round(x), y, round(width) - _GAP, height - _GAP))
            drawn.extend(panel.draw(series, span))
            bottom = max(bottom, y + height)
    size = f'width="{_WIDTH + 16}" height="{bottom + 4:.0f}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="-8 0 {_WIDTH + 16} {bottom + 4:.0f}" role="img">'
        f"<title>{html.escape(board['title'])}</title><style>{STYLE}</style>"
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
