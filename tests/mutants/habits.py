"""Habits of players that show a mutant which everyday play shows too seldom."""

from bots.play.habits import Choice, Situation


def reader(situation: Situation) -> Choice:
    """Act, and read what came of it, in turns; sit down when weak."""
    state = situation.state
    if situation.random.random() < 0.6:
        return Choice("read")
    if state.hp == 0:
        return Choice("revive")
    return Choice("rest" if state.hp * 3 < state.max_hp else "hunt")


def idler(_situation: Situation) -> Choice:
    """Only look."""
    return Choice("read")
