"""The logs of a deployment whose test fails outlive it."""

import shutil
from pathlib import Path

import pytest

from tests.cluster.kept_logs import kept


def test_logs_outlive_a_deployment_whose_test_fails_and_the_failure_names_them(tmp_path: Path) -> None:
    machines = tmp_path / "run" / "machines"
    machines.mkdir(parents=True)
    (machines / "patroni-1.log").write_text("following one-2")
    (machines / "patroni.json").write_text("a password")
    with pytest.raises(AssertionError, match="no primary") as failed, kept(tmp_path / "run", "a_killed_primary of one"):
        raise AssertionError("no primary")
    shutil.rmtree(tmp_path / "run")
    (note,) = failed.value.__notes__
    what, _, where = note.partition("; logs: ")
    copies = Path(where)
    try:
        assert what == "a_killed_primary of one"
        assert (copies / "machines" / "patroni-1.log").read_text() == "following one-2"
        assert [path.name for path in copies.rglob("*") if path.is_file()] == ["patroni-1.log"]
    finally:
        shutil.rmtree(copies)
