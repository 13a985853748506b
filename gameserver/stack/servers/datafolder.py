"""A Postgres data folder on disk: its version, its owner, its pid file, and how a new one is made."""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import structlog

from gameserver.stack.errors import StackError
from gameserver.stack.processes import process_table
from gameserver.stack.processes.account import Account, output_of

_PARTS = ("PG_VERSION", "global/pg_control", "base", "pg_wal", "pg_xact")
"""What no data is without."""
_log = structlog.get_logger()


def require_usable(folder: Path, major: int) -> None:
    """Raises StackError unless `folder` is missing, empty, or data of Postgres `major`. Raises OSError."""
    try:
        version = (folder / "PG_VERSION").read_text().strip()
    except (FileNotFoundError, NotADirectoryError):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise StackError(f"{folder} isn't a Postgres data folder, and it isn't empty.") from None
        return
    if version != str(major):
        raise StackError(
            f"The data in {folder} was made by Postgres {version}, and this is Postgres {major}: "
            "bring it over with pg_upgrade, or choose another folder."
        )


def require_own(folder: Path) -> None:
    """Raises StackError if another account owns `folder`: Postgres runs only as the owner. Raises OSError."""
    if folder.exists() and (owner := folder.stat().st_uid) != os.geteuid():
        raise StackError(
            f"The data in {folder} belongs to another account (uid {owner}): start as that account or as root."
        )


def is_new(folder: Path) -> bool:
    """Whether there is no data yet."""
    return not (folder / "PG_VERSION").exists()


def give_to(folder: Path, account: Account | None) -> None:
    """Make `account` the owner of `folder` and its content, and close it to others. Raises OSError."""
    if account is not None and folder.stat().st_uid != account.uid:
        give_all_to(folder, account)
    folder.chmod(0o700)


def give_all_to(folder: Path, account: Account | None) -> None:
    """Make `account` the owner of `folder` and its content, whoever owns the folder. Raises OSError."""
    if account is not None:
        for path in (*folder.rglob("*"), folder):
            os.chown(path, account.uid, account.gid, follow_symlinks=False)


def make_empty(folder: Path, account: Account | None) -> None:
    """An empty folder that `account` owns; replaces what an interrupted start left there. Raises OSError."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700)
    give_to(folder, account)


def put_in_place(made: Path, folder: Path) -> None:
    """Give a complete and synced folder its final name, durably. Raises OSError."""
    made.rename(folder)
    sync(folder.parent)


def sync(path: Path) -> None:
    """Brings a file, or the names in a folder, to the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def restored_beside(folder: Path) -> Path:
    """Where data that was restored for `folder` waits for the next start of its Postgres."""
    return folder.with_name(folder.name + ".restored")


def drop_restored(folder: Path) -> None:
    """Removes data that waits for the next start of the Postgres on `folder`; no start takes what is left of it.

    Raises OSError.
    """
    restored = restored_beside(folder)
    dropped = restored.with_name(restored.name + ".dropped")
    if dropped.exists():
        shutil.rmtree(dropped)
    if restored.exists():
        put_in_place(restored, dropped)
        shutil.rmtree(dropped)


def put_aside(folder: Path) -> None:
    """Gives data a name beside its place, under which nothing touches it. Raises OSError."""
    former = folder.with_name(f"{folder.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    put_in_place(folder, former)
    _log.info(f"the former data of {folder} stays in {former}")


def take_restored(folder: Path) -> None:
    """Puts data that was restored in the place of `folder`, which stays beside it; the caller holds its lock.

    Whatever is killed in between, the next start goes on. Raises StackError, also when that data isn't whole.
    """
    restored = restored_beside(folder)
    if not restored.exists():
        return
    if missing := [part for part in _PARTS if not (restored / part).exists()]:
        raise StackError(f"The restored data in {restored} has no {missing[0]}: move it away, and restore again.")
    try:
        if folder.exists():
            put_aside(folder)
        put_in_place(restored, folder)
        _log.info(f"restored data is in its place, {folder}")
    except OSError as error:
        raise StackError(f"The restored data in {restored} can't be put in its place: {error}.") from None


def control_values(programs: Path, folder: Path, account: Account | None) -> dict[str, str]:
    """What `pg_controldata` says of data that nothing may be running on; empty where it can't be read."""
    said = output_of((str(programs / "pg_controldata"), str(folder)), account) or ""
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in said.splitlines())}


def position_of(text: str) -> int:
    """The position in bytes that Postgres writes as 1A/2B3C4D. Raises ValueError."""
    high, low = text.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def write_secret(file: Path, secret: str, account: Account | None) -> None:
    """A file that only `account` can read. Raises OSError."""
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as out:
        if account is not None:
            os.fchown(descriptor, account.uid, account.gid)
        out.write(secret + "\n")


def remove_stale_pid_file(folder: Path) -> None:
    """Remove a `postmaster.pid` that a killed Postgres left, also when its pid belongs to another process now.

    The caller holds the lock, so no Postgres of this stack runs here. If one that was started in another way uses the
    folder, it is left alone: raises StackError. Without `/proc` nothing is removed, and Postgres decides.
    """
    file = folder / "postmaster.pid"
    if not file.exists() or not Path("/proc/self").exists():
        return
    pid = _number(pid_file_lines(folder)[:1])
    if pid is not None and process_table.works_in(pid, folder):
        raise StackError(
            f"A Postgres that wasn't started from here (process {pid}) uses the data in {folder}: stop it."
        )
    file.unlink()


def is_ready(folder: Path, pid: int | None) -> bool:
    """Whether the Postgres `pid` has written into its pid file that it accepts connections."""
    lines = pid_file_lines(folder)
    return _number(lines[:1]) == pid and lines[7:8] == ["ready"]


def pid_file_lines(folder: Path) -> list[str]:
    """The lines of `postmaster.pid` (first the pid, eighth the status); none when it is missing."""
    try:
        return [line.strip() for line in (folder / "postmaster.pid").read_text("utf-8", "replace").splitlines()]
    except OSError:
        return []


def _number(lines: list[str]) -> int | None:
    return int(lines[0]) if lines and lines[0].isdigit() else None
