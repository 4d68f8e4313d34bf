"""Alerts fire when they should, and not otherwise; and say what to do, where that can be read on."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.monitoring import (
    ALERT_TESTS,
    ALERTS,
    CONFIGURATIONS,
    alert_tests,
    alerts,
    asked_by_rules,
    rules,
    selectors,
)

_ROOT = Path(__file__).parents[3]
_RUNBOOK = _ROOT / "docs" / "monitoring.md"
_LABEL = re.compile(r"\$labels\.(\w{1,40})")
_ALERT = re.compile(r'alertname="(\w{1,60})"')

every_alert = pytest.mark.parametrize("name", alerts())


def promtool(*arguments: str | Path) -> str:
    """Run promtool; returns what it says, all of it if it fails."""
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def cases(name: str) -> list[Any]:
    """What promtool expects of an alert: a list of samples for each case."""
    asked = [case for test in alert_tests() for case in test["promql_expr_test"]]
    return [case["exp_samples"] for case in asked if _ALERT.findall(case["expr"]) == [name]]


def test_rules_are_valid() -> None:
    assert f"{len(rules())} rules found" in promtool("check", "rules", "--lint=all", "--lint-fatal", ALERTS)


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: path.stem)
def test_configurations_are_valid(path: Path) -> None:
    # Each names the file of the rules, and jobs by which dashboards and alerts find processes
    assert f"{len(rules())} rules found" in promtool("check", "config", path)
    jobs = {job["job_name"] for job in yaml.safe_load(path.read_text())["scrape_configs"]}
    assert {"octavia-api", "octavia-worker", "octavia-scheduler"} <= jobs


def test_alerts_fire_and_stay_silent_as_written() -> None:
    promtool("test", "rules", ALERT_TESTS)


@every_alert
def test_it_is_tried_both_ways(name: str) -> None:
    # Given the alert's cases
    found = cases(name)
    # Then it fires in one, and in that shows every label that its text names
    fired = [sample["labels"] for samples in found for sample in samples]
    assert fired
    texts = " ".join(alerts()[name]["annotations"].values())
    assert [label for label in _LABEL.findall(texts) if any(f"{label}=" not in labels for labels in fired)] == []
    # And others come near to it without making it fire: another case, or a series beside the one that it fires for
    own = [test for test in alert_tests() if any(name in case["expr"] for case in test["promql_expr_test"])]
    assert [] in found or any(len(test["input_series"]) > 1 for test in own)


@every_alert
def test_it_says_what_to_do(name: str) -> None:
    alert = alerts()[name]
    assert alert["labels"]["severity"] in ("critical", "warning")
    said = alert["annotations"]
    assert set(said) == {"summary", "description", "runbook_url"}
    assert said["description"].endswith(".")
    # And its link leads to a section of its own
    assert said["runbook_url"] == f"docs/monitoring.md#{name.lower()}"
    assert f"\n### {name}\n" in _RUNBOOK.read_text()


def test_every_section_is_of_an_alert() -> None:
    assert re.findall(r"^### (Octavia\w{1,60})$", _RUNBOOK.read_text(), re.MULTILINE) == list(alerts())


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_records_exist_where_they_are_used(rule: dict[str, Any]) -> None:
    recorded = {each["record"] for each in rules() if "record" in each}
    used = {selector.metric for selector in selectors(rule["expr"]) if ":" in selector.metric}
    assert used <= recorded


def test_records_are_used() -> None:
    used = {selector.metric for asked in asked_by_rules() for selector in selectors(asked.expr)}
    assert {rule["record"] for rule in rules() if "record" in rule} <= used


def test_failures_that_the_input_explains_are_all_named() -> None:
    # Given the codes of the errors that media, text and addresses have for their input
    rooms = [_ROOT / "octavia" / room for room in ("media", "text", "outbound")]
    modules = [ast.parse(file.read_text()) for room in rooms for file in room.rglob("*.py")]
    found = {code for module in modules for node in ast.walk(module) for code in _input_errors(node)}
    assert {"not_media", "bad_subtitles", "url_not_allowed"} <= found
    # Then the record of failures leaves each of them out
    (rule,) = [rule for rule in rules() if rule.get("record") == "octavia:jobs_failed:ratio_increase30m"]
    named = set(re.findall(r'code!~"([a-z_|]{1,2000})"', rule["expr"])[0].split("|"))
    assert found - named == set()


def _input_errors(node: ast.AST) -> Iterator[str]:
    """The code that ``InputError(…, code=…)``, or a class derived from it, has."""
    match node:
        case ast.Call(func=ast.Name(id="InputError"), keywords=keywords):
            codes = [word.value for word in keywords if word.arg == "code"]
        case ast.ClassDef(bases=[ast.Name(id="InputError")], body=body):
            codes = [value for line in body for value in _assigned(line, "code")]
        case _:
            codes = []
    yield from (str(code.value) for code in codes if isinstance(code, ast.Constant))


def _assigned(line: ast.stmt, name: str) -> Iterator[ast.expr]:
    match line:
        case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
            yield value
