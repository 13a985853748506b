"""The command line of the bots: a client of the game server that plays, measures, and proves what it was promised."""

import typer

from bots.cli.breaking import misbehave_command, overload_command
from bots.cli.checking import check_history_command
from bots.cli.climbing import ladder_command
from bots.cli.joining import merge_command
from bots.cli.loading import bench_command, idle_command
from bots.cli.proving import run_command
from bots.cli.reporting import compare_command, report_command
from bots.cli.taking_part import part_command

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
app.command("run")(run_command)
app.command("merge")(merge_command)
app.command("part", hidden=True)(part_command)
app.command("report")(report_command)
app.command("compare")(compare_command)
app.command("ladder")(ladder_command)
app.command("check-history")(check_history_command)
app.command("bench")(bench_command)
app.command("idle")(idle_command)
app.command("misbehave")(misbehave_command)
app.command("overload")(overload_command)


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
