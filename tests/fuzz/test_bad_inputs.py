"""Bad requests by the thousand, and in `make soak` by the million: all are refused, and nothing is changed."""

from pathlib import Path

import pytest

from gameserver.transport.routes import ROUTES
from tests.fuzz.fuzzed import COUNT, SEED, FuzzedNode
from tests.fuzz.volley import Volley

HAPROXYS_OWN = "metrics"
"""What HAProxy itself answers on the operators' port, whatever the method: there is nothing to refuse."""


async def _volley(node: FuzzedNode, url: str, seed: int, count: int, answered_before: str = "") -> Volley:
    """Sends the node so many bad requests by way of this address, none of an operation that never reaches it."""
    before = await node.digest()
    volley = Volley(url, node.callers, seed, [route for route in ROUTES if route.name != answered_before])
    await volley.send(count)
    assert not volley.accepted, volley.accepted[:5]
    assert volley.sent == count
    assert volley.statuses.total() > 0.9 * count, volley.statuses
    assert len(volley.statuses) >= 6, volley.statuses
    unreached = {route.name for route in ROUTES} - {answered_before} - volley.reached
    assert not unreached, unreached
    await node.assert_well()
    assert set(await node.digest()) ^ set(before) == set()
    return volley


@pytest.mark.parametrize("way", ["node", "haproxy"])
async def test_bad_requests_are_refused_and_change_nothing(fuzzed: FuzzedNode, tmp_path: Path, way: str) -> None:
    if way == "node":
        await _volley(fuzzed, fuzzed.url, 1, 2_000)
        return
    async with fuzzed.behind_haproxy(tmp_path) as proxy:
        await _volley(fuzzed, proxy.operators_url, 1, 2_000, HAPROXYS_OWN)


@pytest.mark.soak
@pytest.mark.timeout(0)
async def test_a_million_bad_requests_are_refused_and_change_nothing(
    fuzzed: FuzzedNode, capsys: pytest.CaptureFixture[str]
) -> None:
    volley = await _volley(fuzzed, fuzzed.url, SEED, COUNT)
    with capsys.disabled():
        print(f"\n{volley.sent} bad requests: answers {dict(sorted(volley.statuses.items()))}")  # noqa: T201
