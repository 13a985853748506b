"""Which rulebook is in force: those that a node has loaded, each from its moment on.

An edition is a rulebook's turn, numbered in the order in which they were ordered. Edition 0 is the game.toml that the
node started with, before anything was published.

Law: the edition in force never goes back. What a database says is in force is judged under that edition or not at all:
a node that doesn't have it, or that knows of a later one for the same moment, has no rulebook to judge by.
"""

from datetime import UTC, datetime
from typing import NamedTuple

from gameserver.rules.game import Game
from gameserver.rules.rulebook import Rulebook

FIRST = 0
ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


class Edition(NamedTuple):
    """A rulebook in force from `at` on, until a later edition's moment."""

    number: int
    at: datetime
    rulebook: Rulebook


class RulesInForce:
    """One per node; whoever keeps it sees each switch."""

    def __init__(self, first: Edition) -> None:
        self._now = first
        self._loaded = {first.number: first}

    @property
    def edition(self) -> Edition:
        """The one in force."""
        return self._now

    @property
    def rulebook(self) -> Rulebook:
        """The one in force."""
        return self._now.rulebook

    @property
    def game(self) -> Game:
        """Of the rulebook in force."""
        return self._now.rulebook.game

    def load(self, edition: Edition) -> None:
        """Makes an edition ready for its moment."""
        self._loaded[edition.number] = edition

    def drop(self, number: int) -> None:
        """Forgets an edition that was cancelled before its moment."""
        if number != self._now.number:
            self._loaded.pop(number, None)

    def has(self, number: int) -> bool:
        """Whether the edition is loaded."""
        return number in self._loaded

    def numbers(self) -> list[int]:
        """Of the editions that are loaded, in their order."""
        return sorted(self._loaded)

    def at(self, moment: datetime) -> Edition:
        """The edition in force at a moment, as far as this node knows."""
        begun = [number for number, edition in self._loaded.items() if edition.at <= moment]
        return self._loaded[max(begun)] if begun else self._loaded[min(self._loaded)]

    def advance(self, moment: datetime) -> None:
        """Puts the edition of this moment in force."""
        self._turn_to(self.at(moment))

    def judging(self, number: int, moment: datetime) -> Rulebook | None:
        """What judges at a moment at which a database has this edition in force; None if it can't be judged here."""
        edition = self._loaded.get(number)
        if edition is None or self.at(moment).number > number:
            return None
        self._turn_to(edition)
        return edition.rulebook

    def _turn_to(self, edition: Edition) -> None:
        if edition.number > self._now.number:
            self._now = edition
