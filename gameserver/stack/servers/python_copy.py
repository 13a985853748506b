"""A Python that the account of Postgres can run, for Patroni, which runs as that account.

Root's own Python may lie where no other account can go, as one that pyenv installed under root's home does. Then a copy
of it is made under `/var/lib/gameserver`: the interpreter, its standard library, and Patroni with what it needs.
"""

import functools
import hashlib
import importlib.metadata
import os
import re
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from gameserver.stack.errors import StackError
from gameserver.stack.processes.account import Account, output_of
from gameserver.stack.servers import folders

_EXTRAS = ("etcd3", "psycopg3", "binary")
_UNNEEDED = ("site-packages", "test", "idlelib", "tkinter", "ensurepip", "lib2to3", "turtledemo", "config-*", "*.a")
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_EXTRA = re.compile(r"extra == ['\"]([\w-]+)['\"]")
_log = structlog.get_logger()


@dataclass(frozen=True)
class PythonProgram:
    """An interpreter, and the environment that it needs."""

    path: Path
    home: Path | None = None

    @property
    def env(self) -> dict[str, str]:
        return {} if self.home is None else {"PYTHONHOME": str(self.home), "LD_LIBRARY_PATH": str(self.home / "lib")}


@functools.lru_cache(maxsize=4)
def for_patroni(account: Account | None) -> PythonProgram:
    """One with Patroni that `account` can run; it is made when it is missing. Raises StackError, OSError."""
    try:
        packages = _packages()
    except importlib.metadata.PackageNotFoundError:
        raise StackError("Patroni is missing: `pip install 'heroledger[cluster]'` brings it.") from None
    if account is None or output_of((sys.executable, "-c", "import patroni.__main__"), account) is not None:
        return PythonProgram(Path(sys.executable))
    home = folders.home() / f"patroni-{_digest(packages)}"
    if not home.exists():
        _copy(packages, home)
        _log.info(f"{sys.executable} can't be run by the account {account.name}: a copy of it was made in {home}")
    return PythonProgram(home / "bin" / "python3", home)


def _packages() -> dict[str, importlib.metadata.Distribution]:
    """Patroni and what it needs here, by name. Raises PackageNotFoundError."""
    packages = {"patroni": importlib.metadata.distribution("patroni")}
    unread = ["patroni"]
    while unread:
        for name in _requirements(packages[unread.pop()]):
            if name in packages:
                continue
            try:
                packages[name] = importlib.metadata.distribution(name)
            except importlib.metadata.PackageNotFoundError:
                continue  # not for this platform
            unread.append(name)
    return packages


def _requirements(package: importlib.metadata.Distribution) -> Iterator[str]:
    for line in package.requires or ():
        extra = _EXTRA.search(line)
        name = _NAME.match(line)
        if name is not None and (extra is None or extra[1] in _EXTRAS):
            yield name[0].lower()


def _digest(packages: dict[str, importlib.metadata.Distribution]) -> str:
    versions = [sys.version, *sorted(f"{name} {package.version}" for name, package in packages.items())]
    return hashlib.blake2b("\n".join(versions).encode(), digest_size=6).hexdigest()


def _copy(packages: dict[str, importlib.metadata.Distribution], to: Path) -> None:
    with folders.made_whole(to) as half:
        library = Path(sysconfig.get_path("stdlib"))
        copied = half / "lib" / library.name
        shutil.copytree(library, copied, ignore=shutil.ignore_patterns(*_UNNEEDED))
        (half / "bin").mkdir()
        shutil.copy2(os.path.realpath(sys.executable), half / "bin" / "python3")
        for shared in library.parent.glob("libpython*.so*"):
            shutil.copy2(shared, half / "lib")
        for package in packages.values():
            _copy_package(package, copied / "site-packages")


def _copy_package(package: importlib.metadata.Distribution, site: Path) -> None:
    for file in package.files or ():
        source = Path(str(file.locate()))
        if ".." in file.parts or not source.is_file():
            continue
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, site / file)
