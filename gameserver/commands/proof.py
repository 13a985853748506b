"""What a player has to prove again before it changes what it signs in with, or deletes itself.

Law: a session is proof while it is fresh, that is for `policy.proof_seconds` after it was opened; for a player with a
password only one that was opened with the password is. So a stolen token can't take a player over or end it, and a
stolen device can't either once the player has a password. The name belongs to that: who has a password signs in under
it.
"""

from datetime import timedelta

from gameserver.commands.accounts import Accounts
from gameserver.rules.errors import ProofNeeded
from gameserver.storage.accounts.identities import Identity
from gameserver.storage.sessions.sessions import Session


def require_fresh(accounts: Accounts, session: Session) -> None:
    """Raises ProofNeeded."""
    seconds = accounts.policy.proof_seconds
    if accounts.policy.now() - session.opened_at > timedelta(seconds=seconds):
        raise ProofNeeded(f"Sign in again first: this session was opened more than {seconds:g} s ago.")


def require_for_name(accounts: Accounts, session: Session, identity: Identity) -> None:
    """Raises ProofNeeded if the player has a password, for which its name is needed, and the session is no proof."""
    if identity.holder.has_password:
        require_password(session, identity)
        require_fresh(accounts, session)


def require_password(session: Session, identity: Identity) -> None:
    """Raises ProofNeeded if the player has a password, and the session was opened without it."""
    if identity.holder.has_password and not session.by_password:
        raise ProofNeeded("Sign in with the password first: this player has one, and a device alone is no proof.")
