"""What operators watch: alert rules that Prometheus takes and that come in time, a dashboard of metrics there are."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import yaml

from onc_mirror.ledger.counters import Series
from onc_mirror.metrics.exposition import LedgerCollector, Picture
from onc_mirror.metrics.meter import ASKED_AT
from tests.support.prometheus import DASHBOARD, RULES, promtool

if TYPE_CHECKING:
    from pathlib import Path

ROOT = RULES.parents[2]
DEVICE = "TUMSTANDARDMODULE001"
METRIC = re.compile(r"\bonc_mirror_\w+")
VARIABLES = {"$device": ".*"}


def entries(document: Path) -> set[str]:
    """The anchors of a document's headings."""
    headings = re.findall(r"^## (.+)$", document.read_text("utf-8"), re.MULTILINE)
    return {heading.lower().replace(" ", "-") for heading in headings}


def told_names() -> set[str]:
    """Names of all samples that there may be, with the suffixes of their kinds."""
    picture = Picture(
        devices=(),
        flows=(),
        counters={Series(ASKED_AT, DEVICE): 1.0},
        ledger_bytes=1,
        scratch_bytes=1,
        scratch_free_bytes=1,
    )
    suffixes = {"counter": ("_total",), "summary": ("_sum", "_count"), "gauge": ("",)}
    families = LedgerCollector(lambda: picture, {DEVICE}).collect()
    return {family.name + suffix for family in families for suffix in suffixes[family.type]}


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return list(group["rules"])


def dashboard_expressions() -> list[str]:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    variables = [one["definition"] for one in dashboard["templating"]["list"] if one["type"] == "query"]
    return variables + [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def test_rules_and_dashboard_name_metrics_that_there_are() -> None:
    named = {name for text in (*dashboard_expressions(), RULES.read_text("utf-8")) for name in METRIC.findall(text)}

    assert len(named) > 15
    assert named - told_names() == set()


def test_every_metric_is_on_the_dashboard() -> None:
    shown = {name for text in dashboard_expressions() for name in METRIC.findall(text)}

    assert told_names() - shown - {"onc_mirror_last_end_timestamp_seconds"} == set()


def test_every_alert_is_shown_by_a_unit_test_and_says_what_to_do() -> None:
    shown = RULES.with_name("onc-mirror.rules.test.yml").read_text("utf-8")

    for rule in rules():
        assert re.search(rf"{rule['alert']}|OncMirror(Device|Files|\(Archive\|Scratch\))\.\+", shown), rule["alert"]
        assert set(rule["annotations"]) == {"summary", "description", "runbook"}
        document, _, entry = rule["annotations"]["runbook"].partition("#")
        assert entry in entries(ROOT / document)
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}


def test_promtool_takes_the_rules_and_each_alert_comes_when_it_should() -> None:
    checked = promtool("check", "config", RULES.with_name("prometheus.yml"))
    tested = promtool("test", "rules", RULES.with_name("onc-mirror.rules.test.yml"))

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_the_expressions_of_the_dashboard_are_promql(tmp_path: Path) -> None:
    queries = [text for text in dashboard_expressions() if not text.startswith("label_values")]
    named = [{"record": f"panel:{number}", "expr": plain(text)} for number, text in enumerate(queries)]
    (tmp_path / "panels.yml").write_text(json.dumps({"groups": [{"name": "panels", "rules": named}]}))

    checked = promtool("check", "rules", tmp_path / "panels.yml")

    assert len(queries) > 15
    assert checked.returncode == 0, checked.stdout + checked.stderr


def plain(text: str) -> str:
    for variable, value in VARIABLES.items():
        text = text.replace(variable, value)
    return text
