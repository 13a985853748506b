"""The account that Postgres runs as: one's own, or an unprivileged one in place of root, whom it refuses."""

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gameserver.stack.errors import StackError

UNPRIVILEGED = ("postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """An account other than one's own, that only root can run something as."""

    name: str
    uid: int
    gid: int

    def can_enter(self, folder: Path) -> bool:
        """Whether this account may pass through `folder`: tried as that account, not guessed from modes."""
        return answer_of(("/bin/sh", "-c", 'cd -- "$1"', "sh", str(folder)), self) is not None


def for_servers() -> Account | None:
    """The unprivileged account to run Postgres as; None when that is one's own. Raises StackError."""
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise StackError(
        "Postgres refuses to run as root, and this machine has no account named "
        f"{' or '.join(UNPRIVILEGED)} to run it as: start as an ordinary user."
    )


def answer_of(argv: Sequence[str], account: Account | None) -> str | None:
    """What a short command prints when `account` runs it; None when it can't, or when it fails."""
    try:
        done = subprocess.run(
            argv,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None
