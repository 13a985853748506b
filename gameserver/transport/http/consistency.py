"""`Consistency-Token: <player id>:<version>`: answers carry it, and a read that carries it back is at least as new.

Several of them, for a read of several players, are separated by commas.
"""

import re
from collections.abc import Sequence

from aiohttp import web
from multidict import istr

from gameserver.commands.results import Wanted
from gameserver.rules.arguments import MAX_INTEGER
from gameserver.rules.errors import FieldProblem
from gameserver.rules.player import Player
from gameserver.transport.callers.headers import single_header
from gameserver.transport.wire import BadConsistencyToken

CONSISTENCY_TOKEN = istr("Consistency-Token")
NOTHING_SAID = Wanted()
_TOKEN = re.compile(r"[ \t]*([1-9][0-9]{0,18}):([1-9][0-9]{0,18})[ \t]*")


def mark(response: web.StreamResponse, player: Player) -> web.StreamResponse:
    """The answer with the token of the player that it shows, by which a later read is at least as new."""
    response.headers[CONSISTENCY_TOKEN] = f"{player.id}:{player.version}"
    return response


def wanted(request: web.Request, ids: Sequence[int], max_staleness: int | None) -> Wanted:
    """How new a read of these players must be. Raises BadConsistencyToken, BadRequest."""
    given = single_header(request, CONSISTENCY_TOKEN)
    if given is None:
        return NOTHING_SAID if max_staleness is None else Wanted(max_staleness=max_staleness)
    versions: dict[int, int] = {}
    for part in given.split(","):
        player_id, version = _read(part)
        if player_id not in ids:
            raise _refusal("is of a player that isn't read here")
        versions[player_id] = max(version, versions.get(player_id, 0))
    return Wanted(versions, has_token=True, max_staleness=max_staleness)


def _read(text: str) -> tuple[int, int]:
    token = _TOKEN.fullmatch(text)
    if token is None or int(token[2]) > MAX_INTEGER:
        raise _refusal("must be `<player id>:<version>`, as an answer had it")
    return int(token[1]), int(token[2])


def _refusal(problem: str) -> BadConsistencyToken:
    return BadConsistencyToken(errors=[FieldProblem(CONSISTENCY_TOKEN, problem)])
