"""What is wrong with a plan of faults or a report is said in one sentence, before anything is done."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from bots.__main__ import app
from bots.cli.disturbing import write_reports
from bots.cli.ending import carry_out, write
from bots.cli.reaching import GivenTarget, target
from bots.conducting.conductor import PartFailedError
from bots.proving import Target
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
        (("--csv", "{tmp}"), "can't be written: Is a directory"),
        (("--json", "{tmp}/a", "--report", "{tmp}/a"), "is named by --json and by --report"),
        (("--plan", "{config}/one.toml", "--history", "{config}/../config/one.toml"), "by --plan and by --history"),
        (("--stack", "{tmp}"), "no `gameserver up` runs with the data folder"),
        (("--expect", "a sign-out"), "only a run with --probes sees a sign-out"),
        (("--expect", "a ban", "--probes"), "only a run with an admin key sees a ban"),
        (("--mix", "grinder,grinder"), "names grinder twice"),
        (("--admin-key", "k"), "give it in a file (--admin-key-file FILE) or in BOTS_ADMIN_KEY"),
        (("--admin-key=k",), "give it in a file (--admin-key-file FILE) or in BOTS_ADMIN_KEY"),
    ],
)
def test_a_run_that_cannot_do_what_is_asked_does_not_begin(
    words: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    given = [word.format(tmp=tmp_path, config=CONFIG) for word in words]
    assert sentence in said("run", *NOBODY, *given)
    assert list(tmp_path.iterdir()) == []


COMMANDS: Any = get_command(app)
ARGUMENTS = {"report": ["x"], "merge": ["x"], "compare": ["x"], "check-history": ["x"]}


def _options(fits: Callable[[Any], bool]) -> list[tuple[str, str]]:
    """Those of every command that fit, as the command and the option."""
    return [
        (name, option.opts[0])
        for name, command in COMMANDS.commands.items()
        for option in command.params
        if fits(option)
    ]


@pytest.mark.parametrize("value", ["inf", "nan", "-inf", "-1"])
@pytest.mark.parametrize(
    ("command", "option"), _options(lambda option: "float" in str(option.type_descriptor.annotation))
)
def test_no_command_takes_an_absurd_number(command: str, option: str, value: str) -> None:
    done = CliRunner().invoke(app, [command, *ARGUMENTS.get(command, []), option, value])
    assert done.exit_code == 2, done.output
    assert option.removeprefix("--").replace("-", "_") in done.output.replace("-", "_")


@pytest.mark.parametrize(
    ("command", "option"), _options(lambda option: option.name in ("json", "html", "csv", "svg", "report", "history"))
)
def test_no_command_begins_what_it_cannot_write_down(command: str, option: str, tmp_path: Path) -> None:
    file = tmp_path / "none" / "file"
    assert f"{file} can't be written: No such file" in said(command, *ARGUMENTS.get(command, []), option, str(file))


def test_a_run_without_an_admin_key_says_what_that_costs_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BOTS_ADMIN_KEY", raising=False)
    given = GivenTarget(["http://127.0.0.1:1"], None, None, None, 1.0)
    assert target(given)[1].startswith("no admin key was given or found: boards and bans won't be proved")
    assert target(replace(given, admin_key="k")) == (
        Target(("http://127.0.0.1:1",), "k", ("http://127.0.0.1:1",), 1.0),
        "",
    )


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


@pytest.mark.parametrize("url", ["http://ann:secret@x:8080", "http://ann@x", "http://:secret@x"])
@pytest.mark.parametrize("option", ["--url", "--admin-url"])
def test_an_address_with_a_password_is_refused_without_telling_it(option: str, url: str) -> None:
    done = CliRunner().invoke(app, ["run", option, url])
    assert (done.exit_code, "has no user and no password" in " ".join(done.output.split())) == (2, True), done.output
    assert "secret" not in done.output


@pytest.mark.parametrize("error", [PartFailedError("generator 2 ended"), OSError("no room")])
@pytest.mark.parametrize(("begun", "code"), [(False, 2), (True, 1)])
def test_a_run_that_is_broken_off_is_not_one_that_was_never_begun(error: Exception, code: int, *, begun: bool) -> None:
    async def ends() -> None:
        raise error

    with pytest.raises(typer.Exit) as ended:
        carry_out(ends(), lambda: begun)
    assert ended.value.exit_code == code


WRITES: list[Callable[[Path], None]] = [
    lambda _: write("/dev/full", {}),
    lambda _: write_reports(document(2), Path("/dev/full"), None),
    lambda folder: write_reports(document(2), None, folder),
]


@pytest.mark.parametrize("writes", WRITES, ids=["JSON", "HTML", "CSV"])
def test_a_report_that_cannot_be_written_is_said_in_one_sentence(
    writes: Callable[[Path], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended:
        writes(tmp_path)
    text = capsys.readouterr().err
    assert (ended.value.exit_code, text.count("\n"), "couldn't be written" in text) == (1, 1, True)
