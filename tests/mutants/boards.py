"""The mutants of boards: mistakes in who stands on them, where, and how that is told."""

from bots.proof import invariants
from tests.mutants.mutant import Mutant, Patch

OF_BOARDS = (
    Mutant(
        "board-update-dropped",
        "a board leaves out every fifth version of a player",
        [
            Patch(
                "gameserver/storage/boards/lua/apply.lua",
                "  return row.version > known or",
                "  return (row.version > known and row.version % 5 ~= 0) or",
            )
        ],
        [invariants.BOARDS, invariants.POINTS],
    ),
    Mutant(
        "rank-off-by-one",
        "who asks for a player's place is told the next one",
        [
            Patch(
                "gameserver/transport/answers/boards.py",
                '    return {**_standing(standing), "percentile"',
                '    return {**_standing(standing), "rank": standing.rank + 1, "percentile"',
            )
        ],
        [invariants.BOARDS],
    ),
    Mutant(
        "ban-leaks",
        "a banned player stays on the boards",
        [
            Patch(
                "gameserver/storage/boards/follower.sql",
                " p.banned or p.deleted as gone,\n           stored.wanted, stored.scores, stored.reached, l.txid,",
                " p.deleted as gone,\n           stored.wanted, stored.scores, stored.reached, l.txid,",
            )
        ],
        [invariants.BANS, invariants.BOARDS],
    ),
    Mutant(
        "ban-leaks-points",
        "a banned player stays on the boards of points",
        [
            Patch(
                "gameserver/storage/boards/ranked.py",
                "        if self.gone:\n            return None\n",
                "        if self.gone and not board.stores_scores:\n            return None\n",
            )
        ],
        [invariants.BANS],
    ),
)
