"""The dashboard and the alert rules ask for metrics that the server has, by labels that these have."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from gameserver import telemetry
from gameserver.timings import Counts, Timings
from tests.support.repository import ROOT

FOLDER = ROOT / "docker/monitoring"
OF_PROMETHEUS = {"le", "instance", "job"}
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
METRIC = re.compile(r"\b(gameserver_\w+|up)(\{[^}]*\})?")


def metrics() -> dict[str, set[str]]:
    """The labels of every metric that the server declares, by each name that Prometheus stores of it."""
    found: dict[str, set[str]] = {}
    for metric in vars(telemetry).values():
        if isinstance(metric, MetricWrapperBase):
            names, labels = [metric._name + suffix for suffix in SUFFIXES[str(metric._type)]], metric._labelnames
        elif isinstance(metric, Timings):
            names, labels = [metric._name + suffix for suffix in SUFFIXES["histogram"]], tuple(metric._labels)
        elif isinstance(metric, Counts):
            names, labels = [metric._name], tuple(metric._labels)
        else:
            continue
        found |= {name: {*labels} for name in names}
    return found


def texts(part: Any) -> Iterator[str]:
    """The queries of a dashboard or of rules."""
    if isinstance(part, dict):
        yield from (part[name] for name in ("expr", "query") if isinstance(part.get(name), str))
        for below in part.values():
            yield from texts(below)
    elif isinstance(part, list):
        for below in part:
            yield from texts(below)


DASHBOARD = [*texts(json.loads((FOLDER / "dashboard.json").read_text()))]
RULES = [rule for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"] for rule in group["rules"]]
OF_SCRAPING = {"up": OF_PROMETHEUS}
"""What Prometheus itself adds for each node."""
QUERIES = [query for query in (*DASHBOARD, *(rule["expr"] for rule in RULES)) if "gameserver" in query]


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_asks_for_a_metric_by_its_labels(query: str) -> None:
    known, allowed = metrics() | OF_SCRAPING, set(OF_PROMETHEUS)
    asked = METRIC.findall(query)
    assert asked
    for name, selectors in asked:
        assert name in known, name
        allowed |= known[name]
        assert set(re.findall(r"(\w+)\s*[=!]~?", selectors)) <= known[name] | OF_PROMETHEUS
    grouped = {label.strip() for labels in re.findall(r"by \(([^)]*)\)", query) for label in labels.split(",")}
    assert grouped <= allowed
    assert query.count("(") == query.count(")")


def test_every_rule_says_what_is_wrong_and_where_to_read_on() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES) > 10
    for rule in RULES:
        assert rule["labels"]["severity"] in ("page", "warn")
        assert (ROOT / rule["annotations"]["see"]).is_file(), rule["alert"]
        labels = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        grouped = {
            label.strip() for labels in re.findall(r"by \(([^)]*)\)", rule["expr"]) for label in labels.split(",")
        }
        assert labels <= grouped | (OF_PROMETHEUS if rule["expr"].startswith("up") else set()), rule["alert"]


def test_the_job_that_rules_ask_for_is_the_one_that_is_scraped() -> None:
    scraped = yaml.safe_load((FOLDER / "prometheus.yaml").read_text())
    jobs = {job["job_name"] for job in scraped["scrape_configs"]}
    assert {job for rule in RULES for job in re.findall(r'job="(\w+)"', rule["expr"])} == jobs
    assert scraped["rule_files"] == ["alerts.yaml"]


def promtool(*arguments: str) -> None:
    """Runs Prometheus's own checker. Skips the test where it isn't installed."""
    if (program := shutil.which("promtool")) is None:
        pytest.skip("promtool isn't installed (apt-get install prometheus)")
    command = [program, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_prometheus_takes_the_files() -> None:
    promtool("check", "config", str(FOLDER / "prometheus.yaml"))


def test_a_rule_fires_when_it_should_and_not_before() -> None:
    promtool("test", "rules", str(Path(__file__).with_name("alerts_test.yaml")))


def test_timings_are_read_as_a_histogram_of_the_library_is() -> None:
    timing = telemetry.COMMAND_SECONDS.of("a test")
    for seconds in (0.0001, 0.0005, 0.3, 60):
        timing.observe(seconds)
    (family,) = [each for each in REGISTRY.collect() if each.name == "gameserver_command_seconds"]
    samples = {
        (sample.name.removeprefix(family.name), sample.labels.get("le")): sample.value
        for sample in family.samples
        if sample.labels["action"] == "a test"
    }
    assert samples["_bucket", "0.0005"] == 2
    assert samples["_bucket", "0.25"] == 2
    assert samples["_bucket", "0.5"] == 3
    assert samples["_bucket", "5"] == 3
    assert samples["_bucket", "+Inf"] == samples["_count", None] == 4
    assert samples["_sum", None] == pytest.approx(60.3006)
