"""An interruption begins with a lost socket or a node that goes away, and ends with the next acknowledged action."""

from bots.count.tally import Tally
from bots.wire.interruptions import LOST, SENT_AWAY, Interruption
from tests.support.wait import wait_until


def playing() -> Tally:
    tally = Tally()
    tally.start(0.0)
    return tally


async def test_an_interruption_ends_with_the_next_acknowledged_action() -> None:
    tally = playing()
    interruption = Interruption(tally)
    interruption.acknowledged()
    assert tally.interruptions == {}
    interruption.begin(LOST)
    interruption.begin(SENT_AWAY)
    interruption.acknowledged()
    interruption.acknowledged()
    assert {cause: lengths.count for cause, lengths in tally.interruptions.items()} == {LOST: 1}


async def test_an_action_under_way_when_the_player_is_sent_away_does_not_end_its_interruption() -> None:
    tally = playing()
    interruption = Interruption(tally)
    interruption.begin(SENT_AWAY)
    interruption.acknowledged()
    assert tally.interruptions == {}
    interruption.arrived()
    interruption.acknowledged()
    await wait_until(lambda: SENT_AWAY in tally.interruptions, what="it has ended")


async def test_a_connection_lost_before_the_play_is_no_interruption() -> None:
    tally = Tally()
    interruption = Interruption(tally)
    interruption.begin(LOST)
    tally.start(0.0)
    interruption.acknowledged()
    assert tally.interruptions == {}
