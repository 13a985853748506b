"""The record of one bot: every answer and push that it got, for the proof to compare with the server.

The law: a command is open from before it is first sent until a final answer comes. A command that is still open at
the end has an unknown fate: it may be in the ledger once or not at all. A rule's refusal is final, however many
attempts under that id went without an answer: the server owes one answer to one id. Another failure, such as an expired
id, is certain only if no attempt went without an answer.
"""

import time
from collections.abc import Mapping
from typing import Any

from bots.play.belongings import Belongings
from bots.play.versions import KnownVersions
from bots.wire.answers import OF_THE_PLAYER
from bots.wire.bodies import MailSent, State, parse_state
from bots.wire.errors import BadAnswerError


class BotRecord:
    """The record of one bot; `first` is the state at sign-up, `latest` the state of the highest version seen.

    `seen` are states that came with other answers than a command's, by version; `reads` counts those of reads, which
    must not be older than what was seen before them, and `stale` has a sentence for each that was. `problems` are
    answers outside the contract, `denials` sign-ins that failed for good, `disagreements` two answers to one command
    that differ, `contradictions` two states of one version, `item_faults` items that don't add up.
    """

    def __init__(self) -> None:
        self.player_id = ""
        self.sign_up_id = ""
        self.first: State | None = None
        self.latest: State | None = None
        self.acknowledged: dict[str, State] = {}
        self.letters: dict[str, tuple[MailSent, ...]] = {}
        self.versions = KnownVersions()
        self.belongings = Belongings()
        self.refused: set[str] = set()
        self.open: set[str] = set()
        self.problems: list[str] = []
        self.denials: list[str] = []
        self.disagreements: list[str] = []
        self.seen: dict[int, State] = {}
        self.reads = self.compared = self.signed_up_twice = 0
        self.stale: list[str] = []
        self.contradictions: list[str] = []
        self.item_faults: list[str] = []

    def faults(self) -> list[str]:
        """Return everything that was wrong with the answers alone."""
        return [
            *self.problems,
            *self.denials,
            *self.disagreements,
            *self.contradictions,
            *self.stale,
            *self.item_faults,
        ]

    def signed_up(self, sign_up_id: str, player_id: str, state: State) -> None:
        """Record the player that the sign-up made."""
        self.sign_up_id, self.player_id, self.first = sign_up_id, player_id, state
        self.see(state)

    def sign_up_again(self, answer: str) -> None:
        """Record how the same sign-up was answered once more: with a player and its state, or with a code.

        A code that says only what has become of the player is compared with nothing.
        """
        if answer in OF_THE_PLAYER:
            return
        self.signed_up_twice += 1
        first = f"{self.player_id}, {self.first}"
        if answer != first:
            self.disagreements.append(f"a sign-up was answered with player {first}, and then with {answer}")

    def send(self, command_id: str) -> None:
        """Record that a command is about to be sent for the first time."""
        self.open.add(command_id)

    def acknowledge(self, command_id: str, state: State, letters: tuple[MailSent, ...] = ()) -> None:
        """Record a command's acknowledgement, the state after it, and the letters that it sent."""
        self.open.discard(command_id)
        self.acknowledged[command_id] = state
        if letters:
            self.letters[command_id] = letters
        self._advance(state)

    def refuse(self, command_id: str, *, uncertain: bool) -> None:
        """Record a refusal; the fate stays open if it is `uncertain`."""
        if not uncertain:
            self.open.discard(command_id)
            self.refused.add(command_id)

    def see(self, state: State) -> None:
        """Record a state from any answer or push; two different states of one version are a problem."""
        self.seen.setdefault(state.version, state)
        self._advance(state)

    def _advance(self, state: State) -> None:
        if self.latest is None or state.version > self.latest.version:
            self.latest = state
            self.versions.note(state.version, time.monotonic())
        elif state.version == self.latest.version and state != self.latest:
            self.contradictions.append(f"one version was answered in two ways: {self.latest} and {state}")

    def see_player(self, player: Any) -> None:
        """Record the player of a hello or a push."""
        try:
            self.see(parse_state(player))
        except BadAnswerError as error:
            self.problems.append(str(error))

    def read_back(self, state: State, floor: int, age: float = 0) -> None:
        """Record the answer to a read that must not be older than version `floor`.

        That one had been seen before the read was sent, for a read that allows an `age` so many seconds before.
        """
        self.reads += 1
        if state.version < floor:
            before = f" {age:g} s and more before it" if age else ""
            self.stale.append(
                f"a read returned version {state.version} after version {floor} had been answered{before}"
            )
        self.see(state)

    def compare(self, command_id: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
        """Record whether two answers under one command id agree in everything but `replayed`."""
        self.compared += 1
        if _without_replayed(first) != _without_replayed(second):
            self.disagreements.append(f"{command_id} was answered with {_told(first)} and then with {_told(second)}")
        elif first.get("replayed") is False and second.get("replayed") is False:
            self.disagreements.append(f"{command_id}: two answers both say that they are the first")


def _told(body: Mapping[str, Any]) -> str:
    player = body.get("player")
    state = dict(player) if isinstance(player, Mapping) else {}
    figures = ", ".join(f"{name} {state[name]}" for name in ("version", "class", "hp", "exp") if name in state)
    return f"{figures or 'no player'}, events {body.get('events')!r:.120}"


def _without_replayed(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "replayed"}
