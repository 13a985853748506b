"""The file by which the bots know a stack: only one whose `up` runs counts."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from bots.chaos import stack
from bots.chaos.stack import RunningStack
from tests.bots.chaos.stacks import this_process

URL = "http://127.0.0.1:8080"


def written(data: Path, **changes: Any) -> RunningStack | None:
    """The stack as it is read again from a file with these changes."""
    own = this_process()._asdict()
    found = {
        "format": "heroledger-stack", "version": 1, "up": own, "command": ["gameserver"], "gameserver": "0.2.0",
        "config": "one.toml", "data": str(data), "players": URL, "operators": URL, "admin_key_file": "admin.key",
        "control": "one", "groups": {"players": ["one"]}, "slots": {"players": 1024},
        "servers": [{"name": "one", "kind": "database", "what": "Postgres", "database": "one", "address": "127.0.0.1:1",
                     "processes": [own], "log": "one.log"}],
    }  # fmt: skip
    (data / "run").mkdir(parents=True, exist_ok=True)
    (data / "run" / "stack.json").write_bytes(orjson.dumps(found | changes))
    return stack.find([], data)


def test_a_stack_is_found_by_its_data_folder_or_by_its_address_below_this_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = written(tmp_path / "var" / "local")
    assert found is not None
    assert found.servers[0].processes == [this_process()]
    monkeypatch.chdir(tmp_path)
    assert stack.find([URL + "/"]) is not None
    assert stack.find(["http://127.0.0.1:9"]) is None


def test_a_file_that_outlived_its_up_is_no_stack(tmp_path: Path) -> None:
    own = this_process()
    assert written(tmp_path, up={"pid": own.pid, "started": own.started - 1}) is None


@pytest.mark.parametrize("changes", [{"version": 2}, {"format": "x"}, {"servers": [{}]}, {"up": None}, {"groups": 3}])
def test_a_garbled_file_is_no_stack(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert written(tmp_path, **changes) is None
