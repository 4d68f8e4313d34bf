"""The dashboards are what Grafana takes, wherever it is installed, and can be read."""

import json
import re
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.support.monitoring import DASHBOARDS, DEPLOY, asked_by_dashboards, chosen, dashboard, panels, selectors

register_default_plugins()

every_dashboard = pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)

_VARIABLE = re.compile(r"\$\{?([a-z]\w{0,40})")
_CHARTS = {"timeseries", "stat", "bargauge", "heatmap"}


def _lost(ours: Any, theirs: Any, where: str = "") -> list[str]:
    """What of ours is not in theirs."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [
            lost
            for key, value in ours.items()
            for lost in (_lost(value, theirs[key], f"{where}.{key}") if key in theirs else [f"{where}.{key}"])
        ]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [lost for i, pair in enumerate(zip(ours, theirs, strict=True)) for lost in _lost(*pair, f"{where}[{i}]")]
    return [] if ours == theirs else [f"{where}: {ours!r} became {theirs!r}"]


def test_there_are_three() -> None:
    assert [path.name for path in DASHBOARDS] == ["job.json", "service.json", "workers.json"]
    assert len({dashboard(path)["uid"] for path in DASHBOARDS}) == 3


@every_dashboard
def test_grafana_knows_every_field(path: Path) -> None:
    # Given a dashboard
    board = dashboard(path)
    # When Grafana's own types read it and write it again
    again = json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder))
    # Then nothing is lost: there is no field that they do not know, and no value that they read otherwise
    assert _lost(board, again) == []


def test_an_unknown_field_is_noticed() -> None:
    # Given a dashboard with a field, and a value, that Grafana does not have
    board = dashboard(DASHBOARDS[1])
    chart = next(panel for panel in board["panels"] if panel["type"] == "timeseries")
    chart["fieldConfig"]["defaults"]["units"] = "s"
    again = json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder))
    # Then it is lost
    assert [lost.rpartition(".")[2] for lost in _lost(board, again)] == ["units"]


@every_dashboard
def test_panels_can_be_read(path: Path) -> None:
    found = list(panels(dashboard(path)))
    # Each has an id and a title of its own
    assert [one for one, times in Counter(panel["id"] for panel in found).items() if times > 1] == []
    assert [one for one, times in Counter(panel["title"] for panel in found).items() if times > 1] == []
    for panel in found:
        if panel["type"] in ("row", "text"):
            continue
        # And says what it shows, in which unit, from which data source
        assert panel["description"].endswith("."), panel["title"]
        assert panel["type"] not in _CHARTS - {"heatmap"} or panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["datasource"]["uid"] in ("${datasource}", "${traces}")
        # And has queries with names of their own, of the same source
        assert panel["targets"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"]
            assert target.get("expr") or target["query"]


@every_dashboard
def test_panels_have_their_places(path: Path) -> None:
    # Given the squares of the grid that each panel takes, rows closed
    taken: Counter[tuple[int, int]] = Counter()
    for panel in dashboard(path)["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        taken.update(product(range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])))
    # Then none is taken twice, and no line is empty
    assert [square for square, times in taken.items() if times > 1] == []
    assert {y for _, y in taken} == set(range(max(y for _, y in taken) + 1))


@every_dashboard
def test_it_belongs_to_no_installation(path: Path) -> None:
    board = dashboard(path)
    # Grafana gives id and version; others' names of data sources are not ours to know
    assert not {"id", "version", "iteration"} & board.keys()
    assert set(re.findall(r'"uid": "([^"]{0,80})"', json.dumps(board))) == {
        board["uid"],
        *(f"${{{variable['name']}}}" for variable in board["templating"]["list"] if variable["type"] == "datasource"),
    }


@every_dashboard
def test_variables_are_declared_and_used(path: Path) -> None:
    board = dashboard(path)
    declared = {variable["name"] for variable in board["templating"]["list"]}
    used = set(_VARIABLE.findall(json.dumps([board["panels"], board["links"], board["templating"]])))
    assert used == declared


@pytest.mark.parametrize("asked", asked_by_dashboards(), ids=lambda asked: asked.where)
def test_queries_are_promql(asked: Any) -> None:
    assert "$" not in asked.expr
    assert selectors(asked.expr)


def test_variables_are_replaced_in_tests() -> None:
    assert chosen('sum(rate(x{queue=~"$queue"}[$window]))') == 'sum(rate(x{queue=~".*"}[5m]))'


def test_grafana_finds_them() -> None:
    # Given the files that Grafana reads when it starts
    provisioning = DEPLOY / "grafana" / "provisioning"
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "octavia.yaml").read_text())["providers"]
    sources = yaml.safe_load((provisioning / "datasources" / "octavia.yaml").read_text())["datasources"]
    # Then they name the dashboards' folder, each type of data source, and how often Prometheus reads
    assert provider["type"] == "file"
    assert provider["options"]["path"]
    boards = [dashboard(path)["templating"]["list"] for path in DASHBOARDS]
    wanted = {variable["query"] for board in boards for variable in board if variable["type"] == "datasource"}
    assert {source["type"] for source in sources} == wanted
    scraping = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text())
    assert sources[0]["jsonData"]["timeInterval"] == scraping["global"]["scrape_interval"]
