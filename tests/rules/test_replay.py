"""The records of the ledger, replayed, lead to the same player."""

from dataclasses import replace

import pytest
from hypothesis import given

from gameserver.rules.dice import Dice
from gameserver.rules.errors import Refused, UnknownFoe
from gameserver.rules.player import Moment, Player
from gameserver.rules.replay import Record, replay
from tests.rules.samples import LATER, RULEBOOK, players, records, sample_player


def _played(player: Player, attempts: list[Record]) -> tuple[Player, list[Record]]:
    """The player after the attempts, and those that took effect, as a ledger keeps them."""
    ledger = []
    for attempt in attempts:
        args = RULEBOOK.arguments(attempt.action, attempt.args)
        moment = Moment(attempt.at, Dice(attempt.seed), RULEBOOK.game)
        try:
            player = RULEBOOK.apply(attempt.action, player, args, moment).player
        except Refused:
            continue
        ledger.append(replace(attempt, args=args.model_dump(mode="json")))
    return player, ledger


@given(players(), records())
def test_what_took_effect_leads_to_the_same_player_again(player, attempts):
    after, ledger = _played(player, attempts)
    assert replay(RULEBOOK, player, ledger) == after
    assert after.version == player.version + len(ledger)


@given(players(), records())
def test_a_replay_may_stop_anywhere_and_go_on(player, attempts):
    after, ledger = _played(player, attempts)
    half = len(ledger) // 2
    assert replay(RULEBOOK, replay(RULEBOOK, player, ledger[:half]), ledger[half:]) == after


def test_replaying_nothing_gives_the_same_player():
    player = sample_player()
    assert replay(RULEBOOK, player, []) is player


def test_another_seed_can_lead_to_another_player():
    ends = {replay(RULEBOOK, sample_player(), [Record("hunt", {"foe": "wolf"}, seed, LATER)]) for seed in range(20)}
    assert len(ends) > 1


@given(players(), records())
def test_renames_and_the_deletion_between_actions_are_replayed_too(player, attempts):
    after, ledger = _played(player, attempts)
    whole = [*ledger, Record("rename", {"name": "Bea Lee"}, 0, LATER), Record("delete", {"session": "x"}, 0, LATER)]
    replayed = replay(RULEBOOK, player, whole)
    assert replayed == after._replace(name="Bea Lee", version=after.version + 2)


def test_a_ledger_that_the_rules_refuse_raises_their_error():
    with pytest.raises(Refused):
        replay(RULEBOOK, sample_player(), [Record("revive", {}, 1, LATER)])
    with pytest.raises(UnknownFoe):
        replay(RULEBOOK, sample_player(), [Record("hunt", {"foe": "unicorn"}, 1, LATER)])
