"""The judgement passes an honest server and fails each kind of dishonest one: otherwise it would prove nothing."""

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.play.record import BotRecord
from bots.proof.changes import EntryChange, change_of
from bots.proof.invariants import ONCE
from bots.proof.players import LedgerEntry, PlayerVerdict, judge
from bots.wire.bodies import State


def state(version: int, hp: int = 100) -> State:
    return State(version, "warrior", 1, hp, 110, version * 5)


class World:
    """An honest server and a bot's record of it, for each test to spoil."""

    def __init__(self, commands: int = 5) -> None:
        self.record = BotRecord()
        self.record.signed_up("sign-up", "7", state(1))
        self.ledger = [LedgerEntry("sign-up", "sign_up", state(1))]
        for _ in range(commands):
            self.apply(answer=True)

    @property
    def present(self) -> State:
        return self.ledger[0].state

    def apply(self, *, answer: bool) -> str:
        """The server applies a command; the bot gets the answer, or the command's fate stays open."""
        command_id = f"command-{len(self.ledger)}"
        after = state(self.present.version + 1)
        self.record.send(command_id)
        self.ledger.insert(0, LedgerEntry(command_id, "hunt", after))
        if answer:
            self.record.acknowledge(command_id, after)
        return command_id

    def drop(self, command_id: str) -> None:
        self.ledger = [entry for entry in self.ledger if entry.command_id != command_id]

    def judge(self) -> PlayerVerdict:
        return judge(self.record, self.present, self.ledger)


def test_an_honest_server_passes() -> None:
    verdict = World().judge()
    assert verdict.clean()
    assert verdict.acknowledged == 5


def test_a_player_who_never_acted_passes() -> None:
    assert World(commands=0).judge().clean()


def test_a_ledger_without_the_sign_up_passes() -> None:
    world = World()
    world.drop("sign-up")
    assert world.judge().clean()


def test_the_order_of_the_entries_does_not_matter() -> None:
    world = World()
    assert judge(world.record, world.present, sorted(world.ledger)).clean()


@given(st.lists(st.sampled_from(["answered", "landed", "absent", "refused"]), max_size=40))
def test_open_commands_may_have_landed_or_not(fates: list[str]) -> None:
    world = World(commands=1)
    for number, fate in enumerate(fates):
        if fate in ("answered", "landed"):
            world.apply(answer=fate == "answered")
        else:
            world.record.send(f"other-{number}")
        if fate == "refused":
            world.record.refuse(f"other-{number}", uncertain=False)
    verdict = world.judge()
    assert verdict.clean()
    assert (verdict.landed, verdict.absent) == (fates.count("landed"), fates.count("absent"))


@pytest.mark.parametrize(
    ("exp", "hp", "sentences"),
    [
        pytest.param(35, 98, [], id="once"),
        pytest.param(30, 98, ["EXP changed by 0, its events say 5"], id="EXP of a state before"),
        pytest.param(40, 98, ["EXP changed by 10, its events say 5"], id="EXP twice"),
        pytest.param(35, 100, ["HP changed by 0, its events say -2"], id="HP of a state before"),
        pytest.param(35, 96, ["HP changed by -4, its events say -2"], id="HP twice"),
    ],
)
def test_what_an_entrys_events_say_of_exp_and_hp_happens_once(exp: int, hp: int, sentences: list[str]) -> None:
    world = World()
    command_id = world.apply(answer=False)
    after = state(7)._replace(exp=exp, hp=hp)
    world.ledger[0] = world.ledger[0]._replace(state=after, change=EntryChange(5, -2))
    world.record.acknowledge(command_id, after)
    faults = world.judge().faults()
    assert len(faults) == len(sentences)
    for fault, sentence in zip(faults, sentences, strict=True):
        assert sentence in fault
        assert getattr(fault, "invariant", "") == ONCE


def test_hp_that_another_max_hp_cuts_are_no_fault() -> None:
    world = World()
    world.apply(answer=False)
    world.ledger[0] = world.ledger[0]._replace(state=state(7, hp=50)._replace(max_hp=55), change=EntryChange(5, -2))
    assert world.judge().faults() == []


HUNTED = {"type": "hunted", "foe": "slime", "won": True, "damage": 2, "exp": 5}


@pytest.mark.parametrize(
    ("events", "change"),
    [
        ([HUNTED, {"type": "level_up", "level": 2}, {"type": "items_granted", "items": {}}], (5, -2)),
        ([{"type": "duelled", "won": False, "exp": 0, "damage": 9}], (0, -9)),
        ([{"type": "healed", "by": "3", "hp": 4}], (0, 4)),
        ([{"type": "heal_cast", "points": 20, "cost": 6}, {"type": "mail_sent"}], (0, -6)),
        ([{"type": "season_rewarded", "rank": 1, "exp": 1000}], (1000, 0)),
        ([HUNTED, {"type": "blessed", "exp": 5}], None),
        ([{**HUNTED, "exp": "many"}], None),
        ([{"type": "went_down"}], None),
        ([], None),
        (None, None),
    ],
)
def test_only_the_built_in_rules_events_say_what_changed(events: object, change: tuple[int, int] | None) -> None:
    assert change_of(events) == change


def test_an_uncertain_failure_leaves_the_fate_open() -> None:
    world = World()
    command_id = world.apply(answer=False)
    world.record.refuse(command_id, uncertain=True)
    verdict = world.judge()
    assert verdict.clean()
    assert verdict.landed == 1


def test_a_lost_command_is_found() -> None:
    world = World()
    world.drop("command-3")
    assert [len(world.judge().lost), "command-3" in world.judge().lost[0]] == [1, True]


def test_a_lost_last_command_is_found() -> None:
    world = World()
    world.drop("command-5")
    verdict = world.judge()
    assert len(verdict.lost) == 2
    assert "back at 5" in verdict.lost[1]


def test_a_doubled_command_is_found() -> None:
    world = World()
    world.ledger.insert(0, LedgerEntry("command-5", "hunt", state(7)))
    assert len(world.judge().doubled) == 1


def test_a_doubled_open_command_is_found() -> None:
    world = World()
    command_id = world.apply(answer=False)
    world.ledger.insert(0, LedgerEntry(command_id, "hunt", state(8)))
    assert len(world.judge().doubled) == 1


def test_an_invented_command_is_found() -> None:
    world = World()
    world.ledger.insert(0, LedgerEntry("never-sent", "hunt", state(7)))
    assert any("never sent" in sentence for sentence in world.judge().unexplained)


def test_a_refused_command_in_the_ledger_is_found() -> None:
    world = World()
    command_id = world.apply(answer=False)
    world.record.refuse(command_id, uncertain=False)
    assert any("was refused" in sentence for sentence in world.judge().unexplained)


def test_another_version_than_answered_is_found() -> None:
    world = World()
    world.record.acknowledged["command-2"] = state(99)
    assert not world.judge().clean()


def test_another_state_than_answered_is_found() -> None:
    world = World()
    world.ledger[2] = world.ledger[2]._replace(state=world.ledger[2].state._replace(hp=1))
    assert any("the ledger has" in sentence for sentence in world.judge().unexplained)


def test_a_player_who_is_not_what_the_ledger_says_is_found() -> None:
    world = World()
    verdict = judge(world.record, world.present._replace(hp=1), world.ledger)
    assert any("the ledger ends in" in sentence for sentence in verdict.unexplained)


def test_two_commands_answered_with_one_version_are_found() -> None:
    world = World()
    world.record.acknowledge("command-9", state(6))
    assert any("2 commands" in sentence for sentence in world.judge().unexplained)


def test_a_gap_in_the_ledger_s_versions_is_found() -> None:
    world = World()
    command_id = world.apply(answer=False)
    world.apply(answer=True)
    world.drop(command_id)
    assert any("follows on version" in sentence for sentence in world.judge().unexplained)


def test_a_ledger_cut_off_at_its_beginning_is_found() -> None:
    world = World()
    world.ledger = world.ledger[:-2]
    assert any("begins at version" in sentence for sentence in world.judge().unexplained)


def test_one_version_with_two_states_is_found() -> None:
    world = World()
    world.record.see(world.present._replace(hp=1))
    assert not world.judge().clean()


def test_a_read_older_than_an_earlier_answer_is_found() -> None:
    world = World()
    world.record.read_back(state(5), floor=6)
    assert not world.judge().clean()


ANSWER = {"player": {"id": "7"}, "events": [], "command_id": "c", "replayed": False}


@pytest.mark.parametrize(
    ("again", "agrees"),
    [
        ({**ANSWER, "replayed": True}, True),
        (ANSWER, False),
        ({**ANSWER, "replayed": True, "events": [{"type": "hunted"}]}, False),
    ],
)
def test_answers_under_one_id_agree_in_all_but_replayed(again: dict[str, object], *, agrees: bool) -> None:
    world = World()
    world.record.compare("c", ANSWER, again)
    assert world.judge().clean() is agrees


SPOIL: list[Callable[[World, Random], object]] = [
    lambda world, random: world.ledger.pop(random.randrange(len(world.ledger) - 1)),
    lambda world, random: world.ledger.insert(0, random.choice(world.ledger)),
    lambda world, random: world.ledger.insert(random.randrange(3), LedgerEntry("stranger", "hunt", state(3))),
]


@given(st.sampled_from(SPOIL), st.randoms(use_true_random=False))
def test_any_entry_removed_or_added_is_found(spoil: Callable[[World, Random], object], random: Random) -> None:
    world = World()
    present = world.present
    spoil(world, random)
    assert not judge(world.record, present, world.ledger).clean()


@pytest.mark.parametrize("action", ["ban", "lift_ban", "mail:rewarded"])
def test_what_operators_and_the_server_do_to_a_player_is_no_fault(action: str) -> None:
    world = World()
    world.ledger.insert(0, LedgerEntry("another's", action, state(world.present.version + 1)))
    world.apply(answer=True)
    assert world.judge().clean()


@pytest.mark.parametrize(
    "action", ["ban", "lift_ban", "rename", "operator:correct", "operator:undo", "operator:roll_back"]
)
def test_what_operators_change_is_no_fault(action: str) -> None:
    world = World()
    world.ledger.insert(0, LedgerEntry("an-operators", action, state(world.present.version + 1, hp=3)))
    world.apply(answer=True)
    assert world.judge().faults() == []


def test_items_that_do_not_add_up_are_a_fault_unless_somebody_else_moved_items() -> None:
    world = World()
    world.record.item_faults.append("of potion there should be 1, the server has 3")
    assert len(world.judge().unexplained) == 1
    entry = LedgerEntry("an-operators", "operator:correct", state(world.present.version + 1), moves_items=True)
    world.ledger.insert(0, entry)
    assert world.judge().faults() == []
    world.ledger[0] = entry._replace(action="hunt")
    assert any("there should be 1" in fault for fault in world.judge().unexplained)
