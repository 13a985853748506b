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
    Mutant(
        "ban-outlasts-its-end",
        "a player whose ban was lifted doesn't come back onto the boards",
        [
            Patch(
                "gameserver/storage/boards/follower.sql",
                " p.banned or p.deleted as gone,\n           stored.wanted, stored.scores, stored.reached, l.txid,",
                " p.banned or p.deleted or exists (select from bans b where b.slot = p.slot and b.player_id = p.id)"
                " as gone,\n           stored.wanted, stored.scores, stored.reached, l.txid,",
            )
        ],
        [invariants.BANS, invariants.BOARDS],
    ),
    Mutant(
        "ban-marks-all",
        "the ranking marks all players of a page as banned if one is",
        [
            Patch(
                "gameserver/transport/answers/operators.py",
                '"banned": player.id in ranked.banned,',
                '"banned": bool(ranked.banned),',
            )
        ],
        [invariants.BOARDS],
    ),
    Mutant(
        "tie-by-last-act",
        "of players with equal EXP the one comes first who has rested for longer, not who reached it first",
        [
            Patch(
                "gameserver/storage/players/batch.sql",
                "    exp_reached_at = case when p.exp = s.exp then p.exp_reached_at else $1::timestamptz end,\n",
                "    exp_reached_at = $1::timestamptz,\n",
            )
        ],
        [invariants.BOARDS],
    ),
    Mutant(
        "rebuild-leaves-out",
        "a rebuild of a board leaves out the players of every other slot, and one is ordered",
        [
            Patch(
                "gameserver/storage/boards/follower.sql",
                "where (p.slot, p.id) > ($1::smallint, $2::bigint) and",
                "where (p.slot, p.id) > ($1::smallint, $2::bigint) and p.slot % 2 = 0 and",
            )
        ],
        [invariants.BOARDS],
        ["rebuild"],
        seconds=40,
        plays_on=True,
    ),
)
