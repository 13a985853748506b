"""Which figures of a process a node shows to Prometheus."""

from collections.abc import Iterator

import pytest
from prometheus_client import Gauge

from gameserver import telemetry, vitals
from gameserver.config.settings import Settings
from tests.support.client import Api
from tests.support.nodes import InProcessNode

pytestmark = pytest.mark.own_node
OF_DATABASES = [
    metric for metric in vars(telemetry).values() if isinstance(metric, Gauge) and "database" in metric._labelnames
]
NAMES = ("left", "stays")


@pytest.fixture
def told() -> Iterator[None]:
    """All gauges of databases have said something of both."""
    for gauge in OF_DATABASES:
        for name in NAMES:
            gauge.labels(*[name for _ in gauge._labelnames]).set(1)
    yield
    for gauge in OF_DATABASES:
        for name in NAMES:
            gauge.remove_by_labels({"database": name})


async def test_no_gauge_says_anything_of_a_database_that_no_group_has_any_more(
    node: InProcessNode, api: Api, settings: Settings, told: None
) -> None:
    databases = node.core.databases
    databases.join("left", settings.database_url("two"))
    assert databases.left() == {"left"}
    text = (await api.ask("GET", "/metrics")).body.decode()
    shown = {
        name: {line.partition("{")[0] for line in text.splitlines() if f'database="{name}"' in line} for name in NAMES
    }
    gauges = {gauge._name for gauge in OF_DATABASES}
    assert (shown["stays"] & gauges, shown["left"] & gauges) == (gauges, set())
    replicas = vitals.figures(databases.left())["replicas"]
    assert [replica["database"] for replica in replicas if replica["database"] in NAMES] == ["stays"]
