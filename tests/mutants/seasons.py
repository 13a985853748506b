"""The mutants of seasons: mistakes in what is scored when, and in who is rewarded for it."""

from bots.proof import invariants
from tests.mutants.mutant import Mutant, Patch

END = "gameserver/storage/seasons/end.py"
PLAYERS = "gameserver/storage/players"
SCORED = "self._calendar.number(self._boards[name], now), amount,"

OF_SEASONS = (
    Mutant(
        "season-off-by-one",
        "points of a season's first seconds count for the one before",
        [
            Patch(
                "gameserver/storage/seasons/scoring.py",
                "self._calendar.number(self._boards[name], now), amount,",
                "self._calendar.number(self._boards[name], now - timedelta(seconds=4)), amount,",
            ),
            Patch(
                "gameserver/storage/seasons/scoring.py",
                "from datetime import datetime\n",
                "from datetime import datetime, timedelta\n",
            ),
            Patch(f"{PLAYERS}/batch.sql", "else greatest(e.season, f.season) end", "else e.season end"),
        ],
        [invariants.POINTS],
        ["season"],
        seconds=60,
        plays_on=True,
    ),
    Mutant(
        "points-rounded",
        "odd points are rounded down",
        [
            Patch(
                "gameserver/storage/seasons/scoring.py",
                "                yield board, amount\n",
                "                yield board, amount // 2 * 2\n",
            )
        ],
        [invariants.POINTS],
    ),
    Mutant(
        "reward-twice",
        "a season's reward is sent under two ids",
        [
            Patch(
                "gameserver/upkeep/closing.py",
                "        ends = await closing.postman.deliver(",
                "        await closing.postman.deliver([_letter(board, season, reward, 1) for reward in rewards])\n"
                "        ends = await closing.postman.deliver(",
            ),
            Patch(
                "gameserver/upkeep/closing.py",
                "def _letter(board: Board, season: Season, reward: DueReward) -> SentLetter:\n",
                "def _letter(board: Board, season: Season, reward: DueReward, number: int = 0) -> SentLetter:\n",
            ),
            Patch(
                "gameserver/upkeep/closing.py",
                "reward_id(board.name, season.start, reward.player_id, season.end * 1000)",
                "reward_id(board.name, season.start, reward.player_id, season.end * 1000 + number)",
            ),
        ],
        [invariants.REWARDS],
        ["season"],
        seconds=60,
        plays_on=True,
    ),
    Mutant(
        "everybody-rewarded",
        "who has a place that isn't rewarded gets what the last one that is gets",
        [
            Patch(
                END,
                "    return None\n",
                "    last = board.rewards[-1:]\n"
                '    return orjson.dumps({"exp": last[0].exp, "text": last[0].text}).decode() if last else None\n',
            )
        ],
        [invariants.REWARDS],
        ["season"],
        seconds=60,
        plays_on=True,
    ),
    Mutant(
        "rewards-shifted",
        "who has a rank gets what the next one is promised",
        [Patch(END, "_reward(board, ranked.shown_rank)\n", "_reward(board, ranked.shown_rank + 1)\n")],
        [invariants.REWARDS],
        ["season"],
        seconds=60,
        plays_on=True,
    ),
    Mutant(
        "first-season-doubled",
        "points of the season in which the server started count twice, and two more seasons follow",
        [
            Patch(
                "gameserver/storage/seasons/scoring.py",
                SCORED,
                SCORED.replace(
                    "amount",
                    "amount * (1 + (_FIRST.setdefault(name, self._calendar.number(self._boards[name], now))"
                    " == self._calendar.number(self._boards[name], now) > 0))",
                ),
            ),
            Patch(
                "gameserver/storage/seasons/scoring.py",
                "\nclass Scorings:\n",
                "\n_FIRST: dict[str, int] = {}\n\n\nclass Scorings:\n",
            ),
        ],
        [invariants.POINTS],
        ["seasons"],
        seconds=90,
        plays_on=True,
    ),
    Mutant(
        "idle-placed",
        "who never scored gets a place in a season's standings, too",
        [
            Patch(
                "gameserver/storage/seasons/end.sql",
                "select s.score, s.reached_at, s.player_id, p.name, p.class, p.level, p.banned\nfrom scores s\n"
                "join players p on p.slot = s.slot and p.id = s.player_id and not p.void and ($5 or not p.banned)\n"
                "where s.board = $1 and s.season = $2 and s.score is not null and (select o.owned from "
                "players_owned_slots o where o.slot = s.slot)\n"
                "order by $3::bigint * s.score, s.reached_at, s.player_id\n",
                "select coalesce(s.score, 0) as score, coalesce(s.reached_at, p.created_at) as reached_at,\n"
                "       p.id as player_id, p.name, p.class, p.level, p.banned\nfrom players p\n"
                "left join scores s on p.slot = s.slot and p.id = s.player_id and s.board = $1 and s.season = $2\n"
                "where not p.void and ($5 or not p.banned)\n"
                "      and (select o.owned from players_owned_slots o where o.slot = p.slot)\n"
                "order by $3::bigint * coalesce(s.score, 0), coalesce(s.reached_at, p.created_at), p.id\n",
            )
        ],
        [invariants.POINTS],
        ["season"],
        seconds=60,
        plays_on=True,
        mix="player=2,tests.mutants.habits:idler=1",
    ),
    Mutant(
        "season-uncounted",
        "a season that is over is fenced, and never counted",
        [
            Patch(
                "gameserver/upkeep/closing.py", '    if state == "ended":\n', '    if state == "ended" and not start:\n'
            )
        ],
        [invariants.REWARDS],
        ["season"],
        seconds=60,
        plays_on=True,
    ),
)
