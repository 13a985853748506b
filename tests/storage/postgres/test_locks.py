"""Advisory locks have one number each, which the code takes from the registry alone."""

import re
from collections import Counter
from pathlib import Path

from gameserver.storage.postgres import locks

ROOT = Path(__file__).parents[3]
REGISTRY = "gameserver/storage/postgres/locks.py"
MIGRATIONS = ROOT / "migrations"
NUMBER = re.compile(r"(?<![0-9a-f_])7_?710_?[0-9]{3}(?![0-9a-f_])")
OTHERS = [number for name, number in vars(locks).items() if name.isupper() and isinstance(number, int)]


def numbers_in(file: Path) -> set[int]:
    return {int(number.replace("_", "")) for number in NUMBER.findall(file.read_text("utf-8", "replace"))}


def sources() -> list[Path]:
    return [
        file
        for folder in ("gameserver", "bots", "tests", "docs", "docker", "config")
        for file in (ROOT / folder).rglob("*")
        if file.suffix in (".py", ".sql", ".lua", ".md", ".toml", ".yaml", ".sh")
    ]


def test_no_two_purposes_share_a_lock() -> None:
    assert len(OTHERS) >= 5
    counted = Counter([*locks.FENCES.values(), *OTHERS])
    assert set(counted.values()) == {1}
    assert numbers_in(ROOT / REGISTRY) == set(counted)


def test_no_other_file_than_the_registry_and_the_migrations_names_a_lock_by_its_number() -> None:
    files = [file for file in sources() if file != ROOT / REGISTRY and not file.is_relative_to(MIGRATIONS)]
    assert len(files) > 300
    assert [str(file.relative_to(ROOT)) for file in files if numbers_in(file)] == []


def test_the_migrations_of_a_group_take_the_fence_of_that_group() -> None:
    for group, fence in locks.FENCES.items():
        taken = {number for file in (MIGRATIONS / group).rglob("*.py") for number in numbers_in(file)}
        assert taken <= {fence}, group
    assert numbers_in(MIGRATIONS / "players" / "versions" / "0002_gather.py") == {locks.FENCES["players"]}
