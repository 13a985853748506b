"""The keys of a sign-up when something may be in the way: reserved one by one, with a look at who holds them."""

from itertools import chain

from gameserver.commands.accounts import Accounts
from gameserver.commands.claims import resolve, resolve_stale
from gameserver.commands.drafts import ids_of, keys_of_draft
from gameserver.commands.keys import rounds_of, taken
from gameserver.rules.errors import DeviceTaken, NameTaken
from gameserver.storage.accounts.claims import Claim, Key
from gameserver.storage.accounts.enrolments import Enrolment

CLAIM_TRIES = 3
"""How often a key is reserved again after a claim that stood in the way was resolved."""


class Dead(Exception):
    """This id can't be the player's: another request of the same command has gone on to a later one."""


class UnderWay(Exception):
    """The same command, sent several times at once, changes the claims faster than this request does."""


async def reserve(accounts: Accounts, draft: Enrolment) -> list[Claim]:
    """Reserves every key, or none. Raises NameTaken, DeviceTaken, Dead, UnderWay.

    The same command, sent several times at once, may rely on what is reserved here, so it isn't released but resolved:
    freed only once this sign-up can't make a player under this id any more.
    """
    held: list[Claim] = []
    for key in chain(*rounds_of(keys_of_draft(draft))):
        try:
            held.append(await _claim(accounts, key, draft))
        except (NameTaken, DeviceTaken, Dead):
            for reserved in held:
                await resolve(accounts, reserved)
            raise
    return held


async def _claim(accounts: Accounts, key: Key, draft: Enrolment) -> Claim:
    """Reserves a key for the draft. Raises NameTaken, DeviceTaken, Dead, UnderWay.

    Law: a request goes on to a later id only when the ids before it are dead: void, or another player's. So of two
    claims of this command the one for the earlier id is stale, and resolving it takes nothing from anybody.
    """
    command_id, player_id = draft.command_id, draft.player.id
    others: set[int] = set()
    for _ in range(CLAIM_TRIES):
        (claim,) = await accounts.room.claims.reserve([key], player_id, command_id)
        if (claim.command_id, claim.player_id) == (command_id, player_id):
            return claim
        ids = ids_of(accounts, command_id)
        is_own = claim.command_id == command_id and claim.player_id in ids
        if is_own and ids.index(claim.player_id) > ids.index(player_id):
            raise Dead
        if is_own:
            await resolve(accounts, claim)
        # Once for each other player: it may hold the key after all.
        elif claim.player_id in others or not await resolve_stale(accounts, claim):
            raise taken(key)
        others.add(claim.player_id)
    raise UnderWay if is_own else taken(key)
