"""The alert rules and the dashboard: in order, and about metrics that are really exported."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.alerts.prometheus import (
    CONFIG,
    DASHBOARD,
    RULES,
    RUNBOOKS,
    alerts,
    needs_prometheus,
    promtool,
    write_hasty,
)
from tests.http.test_metrics import everything

OF_PROMETHEUS: Mapping[str, frozenset[str]] = {"up": frozenset()}
FROM_SCRAPING = frozenset({"job", "instance"})
WORDS = frozenset(
    [
        "sum",
        "max",
        "min",
        "by",
        "and",
        "or",
        "unless",
        "time",
        "year",
        "abs",
        "scalar",
        "rate",
        "increase",
        "count",
        "histogram_quantile",
        "label_values",
        "on",
    ]
)


@cache
def samples() -> Sequence[Sample]:
    """Return what a service exports that has heard of everything once."""
    metrics = everything()
    for status in (404, 503):
        metrics.request_served("GET", "unknown", status, 0.001)
    families = text_string_to_metric_families(metrics.render(None)[0].decode())
    return [sample for family in families for sample in family.samples]


def exported() -> dict[str, frozenset[str]]:
    """Return every series that the service exports, with the labels it has."""
    found: dict[str, frozenset[str]] = dict(OF_PROMETHEUS)
    for sample in samples():
        found[sample.name] = found.get(sample.name, frozenset()) | set(sample.labels)
    return found


def values_of(name: str, label: str) -> set[str]:
    return {sample.labels[label] for sample in samples() if sample.name == name and label in sample.labels}


def misfits(expression: str) -> Iterator[str]:
    """Tell what an expression asks for that is not exported: names, labels, values of labels."""
    known = exported()
    bare = re.sub(r'"[^"]*"', '""', expression)
    grouped: set[str] = set()
    for labels in re.findall(r"\bby \(([^)]*)\)", bare):
        grouped.update(label.strip() for label in labels.split(","))
    names = set(
        re.findall(
            r"(?<![\w$.])[a-z_]{2,}(?=[{\[) +\-<>=/,]|$)", re.sub(r"\{[^}]*\}|\bby \([^)]*\)", "", bare)
        )
    )
    used = names - WORDS
    yield from (f"{name} is not exported" for name in used - known.keys())
    of_used = frozenset[str]().union(*(known.get(name, frozenset()) for name in used))
    yield from (f"no label {label}" for label in grouped - of_used - FROM_SCRAPING)
    for name, selector in re.findall(r"(\w+)\{((?:[^}\"]|\"[^\"]*\")*)\}", expression):
        for label, operator, value in re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', selector):
            if label in FROM_SCRAPING:
                continue
            if label not in known.get(name, frozenset()):
                yield f"{name} has no label {label}"
            elif operator in {"=", "!="} and value not in values_of(name, label) | {""}:
                yield f"{name} is never {label}={value}"
            elif operator == "=~" and not any(re.fullmatch(value, one) for one in values_of(name, label)):
                yield f"{name} is never {label}=~{value}"


def expressions_of_rules() -> list[str]:
    text = RULES.read_text(encoding="utf-8")
    found = re.findall(r"expr: (?!>)(.+)", text)
    found += [" ".join(one.split()) for one in re.findall(r"expr: >-\n((?: {10,}.+\n)+)", text)]
    assert len(found) == len(alerts())
    return found


def expressions_of_dashboard() -> list[str]:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]


@needs_prometheus
def test_the_rules_and_the_configuration_are_in_order(tmp_path: Path) -> None:
    checked = promtool("check", "rules", RULES)
    assert checked.returncode == 0, checked.stderr
    assert promtool("check", "config", "--syntax-only", CONFIG).returncode == 0
    (tmp_path / "key").write_text("bday_x", encoding="utf-8")
    config = write_hasty(tmp_path, "127.0.0.1:1", tmp_path / "key")
    checked = promtool("check", "config", config)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.slow
@needs_prometheus
def test_each_alert_fires_when_it_should_and_only_then() -> None:
    tested = promtool("test", "rules", RULES.with_name("alerts_test.yml"))
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_each_alert_is_tested_firing_and_silent() -> None:
    text = RULES.with_name("alerts_test.yml").read_text(encoding="utf-8")
    for name in alerts():
        assert re.search(rf"alertname: {name}\n +exp_alerts:\n", text), name
        assert f"alertname: {name}, exp_alerts: []" in text, name


def test_each_alert_has_a_runbook_and_each_runbook_an_alert() -> None:
    text = RUNBOOKS.read_text(encoding="utf-8")
    sections = re.findall(r"^## (\w+)$", text, re.MULTILINE)
    assert sorted(sections) == sorted(alerts())
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        for part in ("**Means:**", "**Look at:**", "**Do:**"):
            assert part in section, section.split()[0]
    urls = re.findall(r"runbook_url: docs/runbooks.md#(\w+)", RULES.read_text(encoding="utf-8"))
    assert urls == [name.lower() for name in alerts()]


@pytest.mark.parametrize("expression", (*expressions_of_rules(), *expressions_of_dashboard()))
def test_what_is_asked_for_is_exported(expression: str) -> None:
    assert list(misfits(expression)) == []


@pytest.mark.parametrize(
    "expression",
    (
        "sum(messages_gone) > 0",
        'max(messages{state="SENT"})',
        'max(messages{status="GONE"})',
        'max(messages{status=~"GONE|LOST"})',
        "sum by (colour) (messages)",
        "rate(cache_fills_total_bucket[5m])",
        "x_y / messages",
    ),
)
def test_what_is_not_exported_is_noticed(expression: str) -> None:
    assert list(misfits(expression))


def test_a_dashboard_shows_every_metric_and_no_panel_lies_on_another() -> None:
    asked = " ".join(expressions_of_dashboard())
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in exported()}
    left_out = {name for name in families if name not in asked}
    # The epoch says nothing to a person, entries that cannot be read are counted as fills, and a year is a version.
    assert left_out == {
        "cache_epoch",
        "cache_hit_rate",
        "cache_undecodable_entries_total",
        "scheduler_zone_data_year",
    }
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        squares = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not squares & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= squares
