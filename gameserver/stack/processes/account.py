"""The account that Postgres runs as: that of this process, or an unprivileged one instead of root, which it refuses."""

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gameserver.stack.errors import StackError

UNPRIVILEGED = ("postgres", "nobody")
_COMMAND_SECONDS = 20


@dataclass(frozen=True)
class Account:
    """An account other than that of this process; only root can run something as another account."""

    name: str
    uid: int
    gid: int

    def can_enter(self, folder: Path) -> bool:
        """Whether this account may enter `folder`: tried as that account, not derived from the modes."""
        return output_of(("/bin/sh", "-c", 'cd -- "$1"', "sh", str(folder)), self) is not None


def for_servers() -> Account | None:
    """The unprivileged account to run Postgres as; None for the account of this process. Raises StackError."""
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


def output_of(argv: Sequence[str], account: Account | None) -> str | None:
    """What a short command prints when `account` runs it within 20 s; None when it fails or can't be run."""
    try:
        result = subprocess.run(
            argv,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.decode("utf-8", "replace") if result.returncode == 0 else None
