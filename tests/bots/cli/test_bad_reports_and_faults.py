"""What is wrong with a plan of faults or a report is said in one sentence, before anything is done."""

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from bots.__main__ import app
from tests.bots.report.sample import document
from tests.support.repository import CONFIG

NOBODY = ("--url", "http://127.0.0.1:1")


def said(*words: str) -> str:
    """What a command that gives up says."""
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2, done.output
    text = done.output.strip()
    assert text.startswith("bots: "), text
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--chaos", "{tmp}/none.toml"), "can't be read: No such file"),
        (("--chaos", "{config}/chaos.toml"), "needs a stack that `gameserver up` runs"),
        (("--chaos", "{config}/one.toml"), "isn't known; a plan has `seed` and"),
        (("--report", "{tmp}/none/run.html"), "can't be written: No such file or directory"),
        (("--csv", "{tmp}"), "can't be written: Is a directory"),
    ],
)
def test_a_run_that_cannot_do_what_is_asked_does_not_begin(
    words: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    given = [word.format(tmp=tmp_path, config=CONFIG) for word in words]
    assert sentence in said("run", *NOBODY, *given)
    assert list(tmp_path.iterdir()) == []


def test_a_report_of_what_is_no_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"format": "another"}')
    assert "isn't the document of a run" in said(
        "report", str(tmp_path / "run.json"), "--html", str(tmp_path / "x.html")
    )
    assert "--html FILE, --csv FILE" in said("report", str(tmp_path / "run.json"))
    assert "can't be read" in said("report", str(tmp_path / "none.json"), "--csv", str(tmp_path / "x.csv"))
    assert not (tmp_path / "x.html").exists()


def test_a_comparison_ends_with_1_only_where_that_is_asked_for_and_something_is_worse(tmp_path: Path) -> None:
    for number in range(10):
        side, slower = ("a", 1.0) if number % 2 == 0 else ("b", 4.0)
        (tmp_path / side).mkdir(exist_ok=True)
        run = document(4, seed=number, slower=slower)
        (tmp_path / side / f"{number}.json").write_bytes(orjson.dumps(run.as_json()))
    sides = [str(tmp_path / "a"), str(tmp_path / "b")]
    assert CliRunner().invoke(app, ["compare", *sides]).exit_code == 0
    assert CliRunner().invoke(app, ["compare", *sides, "--fail-if-worse"]).exit_code == 1
    assert CliRunner().invoke(app, ["compare", *reversed(sides), "--fail-if-worse"]).exit_code == 0
    assert "at least 5" in said("compare", *[str(tmp_path / "a" / "0.json")] * 2)


@pytest.mark.parametrize(
    "url", ["nonsense", "ftp://x", "http://", "http://:80", "http://x:99999", "http://x:0", "http://[x", "http://x?y=1"]
)
@pytest.mark.parametrize("option", ["--url", "--admin-url"])
def test_what_isnt_an_address_is_said_at_once(option: str, url: str) -> None:
    done = CliRunner().invoke(app, ["run", option, url])
    assert (done.exit_code, "isn't an address such as" in " ".join(done.output.split())) == (2, True), done.output
