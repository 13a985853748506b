"""Changes a player's password, which ends every other session."""

from dataclasses import dataclass, replace

from gameserver.commands.accounts import Accounts
from gameserver.commands.commit import after_commit
from gameserver.commands.proof import require_fresh
from gameserver.rules.errors import BadInput, FieldProblem, WrongCredentials
from gameserver.rules.passwords import require_good
from gameserver.storage.sessions.sessions import Origin, Session


@dataclass(frozen=True, slots=True)
class NewPassword:
    """`old` is None for a player without a password; attempts are counted by `address`, if there is one."""

    new: str
    old: str | None = None
    address: str | None = None


async def change_password(
    accounts: Accounts, session: Session, passwords: NewPassword, origin: Origin
) -> tuple[str, Session]:
    """Sets the caller's password; the token of its new session, and the session. All others have ended, on every node.

    A player that signs in by device gets its first password this way, for which its session has to be fresh. Raises
    ProofNeeded, RateLimited, TooManyChanges, BadInput, WrongCredentials, SessionRevoked, OutcomeUnknown and what is
    unavailable.
    """
    await accounts.attempts.change_password(passwords.address, session.allowance)
    await accounts.sessions.require_open()
    async with accounts.turns.change(session.player_id):
        return await _change(accounts, session, passwords, origin)


async def _change(accounts: Accounts, session: Session, passwords: NewPassword, origin: Origin) -> tuple[str, Session]:
    hashed, _ = await accounts.room.credentials.password(session.player_id)
    if hashed is not None and passwords.old is None:
        raise BadInput("The present password is needed.", errors=[FieldProblem("old", "is needed")])
    if hashed is None:
        require_fresh(accounts, session)
    if passwords.old is not None and not await accounts.passwords.verify(hashed, passwords.old, passwords.address):
        raise WrongCredentials("The present password is another one.")
    player = await accounts.players.find(session.player_id)
    require_good(passwords.new, "" if player is None else player.name, "new")
    epoch = await accounts.room.credentials.change(
        session.player_id, session.epoch, await accounts.passwords.hash(passwords.new, passwords.address)
    )
    with after_commit("The password was changed, but no session could be opened: sign in with the new one."):
        await accounts.sessions.revoke_all(session.player_id)
        return await accounts.sessions.open(session.player_id, epoch, replace(origin, by_password=True))
