"""A player's sessions: checked, listed and ended."""

from gameserver.commands.accounts import Accounts
from gameserver.commands.commit import after_commit
from gameserver.rules.errors import SessionRevoked
from gameserver.storage.sessions.sessions import Listed, Session


async def sessions(accounts: Accounts, session: Session) -> list[Listed]:
    """The caller's sessions, oldest first. Raises RateLimited, SessionsUnavailable."""
    async with accounts.turns.read(session.player_id, "sessions"):
        return await accounts.sessions.listed(session.player_id, session.epoch)


async def sign_out(accounts: Accounts, session: Session) -> None:
    """Ends this session, on every node within a second."""
    await accounts.sessions.revoke(session)


async def sign_out_elsewhere(accounts: Accounts, session: Session, listed_id: str) -> None:
    """Ends the caller's session of this id, on every node within a second. Raises RateLimited, SessionNotFound."""
    async with accounts.turns.read(session.player_id, "sessions"):
        await accounts.sessions.revoke_listed(session, listed_id)


async def sign_out_everywhere(accounts: Accounts, session: Session) -> None:
    """Ends all sessions of the caller; in Postgres first, so it holds even if Redis loses its data.

    For a session that had ended it ends only those that were opened no later, which an earlier copy of the request may
    have left. Raises TooManyChanges, PlayerNotFound, SessionRevoked and what is unavailable.
    """
    ended: SessionRevoked | None = None
    try:
        async with accounts.turns.change(session.player_id):
            await accounts.room.credentials.end_epoch(session.player_id, session.epoch)
    except SessionRevoked as error:
        ended = error
    with after_commit("The sessions have ended in the database, but some may go on for some seconds: send this again."):
        await accounts.sessions.revoke_before(session.player_id, session.epoch + 1)
    if ended is not None:
        raise ended


def known(accounts: Accounts, token: str) -> Session | None:
    """The session of a token, if this node may trust it without asking anybody."""
    return accounts.sessions.known(token)


async def authenticate(accounts: Accounts, token: str) -> Session:
    """The session of a token. Raises NotAuthenticated, SessionsUnavailable, DatabaseUnavailable, Overloaded."""
    return await accounts.sessions.check(token)
