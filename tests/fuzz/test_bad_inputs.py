"""Bad requests by the thousand, and in `make soak` by the million: all are refused, and nothing is changed."""

import pytest

from tests.fuzz.fuzzed import COUNT, SEED, FuzzedNode
from tests.fuzz.volley import Volley


async def _volley(node: FuzzedNode, seed: int, count: int) -> Volley:
    before = await node.digest()
    volley = Volley(node.url, node.player.token, seed)
    await volley.send(count)
    assert not volley.accepted, volley.accepted[:5]
    assert volley.sent == count
    assert volley.statuses.total() > 0.9 * count, volley.statuses
    assert len(volley.statuses) >= 6, volley.statuses
    await node.assert_well()
    assert await node.digest() == before
    return volley


async def test_bad_requests_are_refused_and_change_nothing(fuzzed: FuzzedNode) -> None:
    await _volley(fuzzed, 1, 2_000)


@pytest.mark.soak
@pytest.mark.timeout(0)
async def test_a_million_bad_requests_are_refused_and_change_nothing(
    fuzzed: FuzzedNode, capsys: pytest.CaptureFixture[str]
) -> None:
    volley = await _volley(fuzzed, SEED, COUNT)
    with capsys.disabled():
        print(f"\n{volley.sent} bad requests: answers {dict(sorted(volley.statuses.items()))}")  # noqa: T201
