"""Removes the data behind the links under var/ that is this clone's own: `python .ci/clean.py HOME`, in the clone.

Where root's clone can't be entered, the data of its Postgres lies in HOME, in a folder named after the link's path
(gameserver/stack/servers/folders.py). A copy of a clone has copies of the links, which go on naming the data of the
original. Only the standard library is needed, as the environment may be missing.
"""

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

_NAME = re.compile(r"([0-9a-f]{12})(-[0-9]+)?")


def main(var: Path, home: Path) -> None:
    """What can't be removed is named, and ends nothing."""
    for link in sorted(_links(var)):
        data = link.readlink()
        if data.parent != home or (name := _NAME.fullmatch(data.name)) is None:
            continue
        if name[1] != hashlib.blake2b(os.fsencode(link.absolute()), digest_size=6).hexdigest():
            _say(f"{data} stays: {link} leads to it, but it was made for another path, perhaps of a clone in use")
        elif _works(data):
            _say(f"{data} stays: a Postgres works there ({data / 'postmaster.pid'})")
        else:
            _remove(link, [data, *home.glob(f"{data.name}.*")])
    if var.is_symlink():
        _say(f"{var.readlink()} stays, to which {var} is a link")


def _links(var: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(var):
        yield from (path for name in (*folders, *files) if (path := Path(folder, name)).is_symlink())


def _works(data: Path) -> bool:
    """A number that the system has given to another process since counts, too."""
    try:
        os.kill(int((data / "postmaster.pid").read_text().split()[0]), 0)
    except (FileNotFoundError, NotADirectoryError, ProcessLookupError, ValueError, IndexError):
        return False
    except OSError:
        return True
    return True


def _remove(link: Path, paths: list[Path]) -> None:
    for path in filter(os.path.lexists, paths):
        _say(f"rm -rf {path}")
        try:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        except OSError as error:
            _say(f"{path} stays: {error.strerror}")
    link.unlink()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path("var"), Path(sys.argv[1]))
