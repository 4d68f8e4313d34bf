"""What deploy/grafana and deploy/prometheus ask of Prometheus."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
ALERTS = DEPLOY / "prometheus" / "alerts.yaml"
SCRAPING = DEPLOY / "prometheus" / "prometheus.yaml"
CONFIGURATIONS = sorted({*(DEPLOY / "prometheus").glob("*.yaml")} - {ALERTS})
ALERT_TESTS = DEPLOY / "prometheus" / "tests" / "alerts.yaml"
DASHBOARDS = sorted((DEPLOY / "grafana").glob("*.json"))

_LEGEND = re.compile(r"\{\{([^{}]{1,50})\}\}")
_CHOSEN = {"$window": "5m", "$__rate_interval": "1m", "$__range": "30m", "$queue": ".*", "$stage": ".*"}


@dataclass(frozen=True)
class Asked:
    """One query."""

    where: str
    expr: str
    shown: frozenset[str] = frozenset()
    """Labels that its result must have."""


@dataclass(frozen=True)
class Selector:
    """A choice of series, and the labels by which what surrounds it tells them apart."""

    text: str
    metric: str
    labels: frozenset[str]


def dashboard(path: Path) -> dict[str, Any]:
    """A dashboard's JSON."""
    return dict(json.loads(path.read_text()))


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All panels, rows and those in rows too."""
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", ())


@cache
def rules() -> list[dict[str, Any]]:
    """All rules, those that record too."""
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> dict[str, dict[str, Any]]:
    """The rules that alert, by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


@cache
def alert_tests() -> list[dict[str, Any]]:
    """The tests that promtool makes of them."""
    return list(yaml.safe_load(ALERT_TESTS.read_text())["tests"])


def asked_by_dashboards() -> list[Asked]:
    """Every query of a panel to Prometheus, with everything chosen that its variables offer."""
    found = []
    for path in DASHBOARDS:
        for panel in panels(dashboard(path)):
            for target in panel.get("targets", ()):
                if target["datasource"]["type"] == "prometheus":
                    legend = frozenset(_LEGEND.findall(target["legendFormat"]))
                    found.append(Asked(f"{path.name}: {panel['title']}", chosen(target["expr"]), legend))
    return found


def asked_by_rules() -> list[Asked]:
    """Every query of a rule."""
    return [Asked(rule.get("alert") or rule["record"], rule["expr"]) for rule in rules()]


def chosen(expr: str) -> str:
    """A panel's query with its variables replaced."""
    for variable, value in _CHOSEN.items():
        expr = expr.replace(variable, value)
    return expr


def selectors(expr: str) -> list[Selector]:
    """The series that a query chooses; ``ValueError`` if it is no PromQL."""
    return list(_selectors(promql_parser.parse(expr), frozenset()))


def _selectors(node: Any, labels: frozenset[str]) -> Iterator[Selector]:
    match node:
        case promql_parser.VectorSelector():
            wanted = labels | {matcher.name for matcher in node.matchers.matchers}
            yield Selector(node.prettify(), node.name, wanted)
        case promql_parser.MatrixSelector():
            yield from _selectors(node.vector_selector, labels)
        case promql_parser.AggregateExpr():
            yield from _selectors(node.expr, frozenset(node.modifier.labels if node.modifier else ()))
        case promql_parser.BinaryExpr():
            on = node.modifier.matching.labels if node.modifier and node.modifier.matching else ()
            for side in (node.lhs, node.rhs):
                yield from _selectors(side, labels | frozenset(on))
        case promql_parser.Call():
            if node.func.name == "label_replace":
                _, made, _, source, _ = node.args
                labels = labels - {made.val} | {source.val}
            for argument in node.args:
                yield from _selectors(argument, labels)
        case promql_parser.ParenExpr() | promql_parser.UnaryExpr() | promql_parser.SubqueryExpr():
            yield from _selectors(node.expr, labels)
