"""Changing one's password, which ends every other session."""

from dataclasses import dataclass

from gameserver.commands.accounts import Accounts
from gameserver.rules.errors import BadInput, FieldProblem, WrongCredentials
from gameserver.storage.sessions.sessions import Origin, Session


@dataclass(frozen=True, slots=True)
class NewPassword:
    """`old` is None for a player who has none so far; `address` is what his attempts are counted by, if they are."""

    new: str
    old: str | None = None
    address: str | None = None


async def change_password(
    accounts: Accounts, session: Session, asked: NewPassword, origin: Origin
) -> tuple[str, Session]:
    """Sets the caller's password; his new session and its token. All others have ended, on every node.

    A player who signs in with a device gets his first password so. Raises RateLimited, BadInput, WrongCredentials,
    SessionRevoked, OutcomeUnknown and what is unavailable.
    """
    await accounts.attempts.change_password(asked.address, session.player_id)
    hashed, _ = await accounts.room.credentials.password(session.player_id)
    if hashed is not None and asked.old is None:
        raise BadInput("The present password is needed.", errors=[FieldProblem("old", "is needed")])
    if asked.old is not None and not await accounts.passwords.verify(hashed, asked.old):
        raise WrongCredentials("The present password is another one.")
    epoch = await accounts.room.credentials.change(
        session.player_id, session.epoch, await accounts.passwords.hash(asked.new)
    )
    await accounts.sessions.revoke_all(session.player_id)
    return await accounts.sessions.open(session.player_id, epoch, origin)
