"""What one bot was told: the record that the proof holds against the server.

A command is open from before it is first sent until a final answer comes; what is still open at the end has
an unknown fate and may be in the ledger once or not at all. A refusal counts as certain only if no attempt
under that id went without an answer.
"""

from typing import Any

from bots.wire.wire import State

Letters = tuple[tuple[str, str, str], ...]
"""The id, the recipient and the kind of each letter."""


class Told:
    """The record of one bot; `first` is the state at sign-up, `latest` the told state of highest version."""

    def __init__(self) -> None:
        self.player_id = ""
        self.sign_up_id = ""
        self.first: State | None = None
        self.latest: State | None = None
        self.acknowledged: dict[str, State] = {}
        self.letters: dict[str, Letters] = {}
        self.refused: set[str] = set()
        self.open: set[str] = set()
        self.problems: list[str] = []
        self.disagreements: list[str] = []

    def signed_up(self, sign_up_id: str, player_id: str, state: State) -> None:
        """Record the player that sign-up made."""
        self.sign_up_id, self.player_id, self.first = sign_up_id, player_id, state
        self.hear(state)

    def send(self, command_id: str) -> None:
        """Record that a command is about to be sent for the first time."""
        self.open.add(command_id)

    def acknowledge(self, command_id: str, state: State, letters: Letters = ()) -> None:
        """Record a command's acknowledgement, the state after it, and the letters that it sent."""
        self.open.discard(command_id)
        self.acknowledged[command_id] = state
        if letters:
            self.letters[command_id] = letters
        self.hear(state)

    def refuse(self, command_id: str, *, uncertain: bool) -> None:
        """Record a refusal; after an attempt without an answer the fate stays open."""
        if not uncertain:
            self.open.discard(command_id)
            self.refused.add(command_id)

    def hear(self, state: State) -> None:
        """Record a state that came with any answer or push; one version has one state."""
        if self.latest is None or state.version > self.latest.version:
            self.latest = state
        elif state.version == self.latest.version and state != self.latest:
            self.problems.append(f"version {state.version} told as {self.latest} and as {state}")

    def read_back(self, state: State, floor: int) -> None:
        """Record a read that was asked for when version `floor` had been told: it must not be older."""
        if state.version < floor:
            self.problems.append(f"a read gave version {state.version} after version {floor} had been told")
        self.hear(state)

    def compare(self, command_id: str, first: Any, again: Any) -> None:
        """Record whether two answers under one command id agree in everything but `replayed`."""
        if _but_replayed(first) != _but_replayed(again):
            self.disagreements.append(f"{command_id}: told {first!r:.300} and then {again!r:.300}")
        elif first.get("replayed") is False and again.get("replayed") is False:
            self.disagreements.append(f"{command_id}: two answers, both say that they are the first")


def _but_replayed(body: Any) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "replayed"}
