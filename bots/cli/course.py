"""The course of `bots run`, in this process or conducted in several, and how it ends."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Never

from rich.console import Console

from bots.cli import joining
from bots.cli.disturbing import Disturbance
from bots.cli.ending import carry_out, give_up, write
from bots.cli.evidence import end_history, shared_history
from bots.cli.objectives import end, judged
from bots.conducting.conductor import Conductor
from bots.count.document import RunDocument
from bots.count.slo import Objective, ObjectiveVerdict
from bots.play.plan import SwarmPlan
from bots.proof.result import RunResult
from bots.proving import ProofPlan, Target
from bots.recording import RunFacts, document
from bots.report import report
from bots.run import run
from bots.screen import summary
from bots.screen.view import View
from bots.stage import ScreenStage


@dataclass(frozen=True, slots=True)
class Course:
    """A run as the command line asks for it; `as_given` is the plan as the user wrote it, `server` its version."""

    plan: SwarmPlan
    as_given: Mapping[str, Any]
    objectives: Sequence[Objective]
    json: str | None
    quiet: bool
    fail_on_error: bool
    disturbance: Disturbance
    proof: ProofPlan
    server: str
    history: Path | None = None

    def play(self, reached: tuple[Target, str], processes: int) -> Never:
        """Play, prove, report, and end with the exit code."""
        target, found = reached
        console = Console(stderr=self.json == "-", quiet=self.quiet)
        if found:
            console.print(found, markup=False, highlight=False, soft_wrap=True)
        self.disturbance.announce(console)
        if processes > 1:
            self._conduct(target, processes, console)
        screen = ScreenStage(console, quiet=self.quiet)
        playing = run(self.plan, target, self.disturbance.over(screen), self.proof)
        result = carry_out(playing, lambda: screen.begun)
        end_history(self.proof)
        made = document(result, self.plan, target, RunFacts(self.as_given, sys.argv[1:], self.server))
        self.disturbance.record(made)
        verdicts = judged(made, self.objectives)
        summary.show(console, made, verdicts)
        report.show(console, result, made.sometimes)
        write(self.json, as_json(result, made))
        self.disturbance.report(made, console)
        self._end(made, verdicts, ok=result.ok, errors=result.swarm.tally.errors_seen())

    def _conduct(self, target: Target, processes: int, console: Console) -> Never:
        if self.plan.players < processes:
            give_up(f"{self.plan.players} players can't be shared out to {processes} processes")
        view = View(f"bots run, {processes} generators", self.plan.seconds, self.plan.warm_up)
        orders: dict[str, Any] = {"plan": self.as_given, "name_prefix": self.plan.name_prefix, "target": asdict(target)}
        orders |= {"arguments": sys.argv[1:], "probes": self.proof.probes, "server": self.server}
        with shared_history(self.history, processes) as history_orders:
            conductor = Conductor({**orders, **history_orders}, processes, view, self.disturbance.nemesis)
            ends = carry_out(conductor.conduct(console, quiet=self.quiet), lambda: conductor.begun)
        made, joined = joining.join(ends)
        made.setup = replace(made.setup, seed=self.plan.seed)
        made.sometimes = [replace(seen, expected=seen.name in self.proof.expected) for seen in made.sometimes]
        self.disturbance.record(made)
        verdicts = judged(made, self.objectives)
        joining.show(console, made, joined, verdicts)
        write(self.json, {**joined, "ok": joining.is_ok(joined, made), **made.as_json()})
        self.disturbance.report(made, console)
        self._end(made, verdicts, ok=joining.is_ok(joined, made), errors=int(joined["errors_seen"]))

    def _end(self, made: RunDocument, verdicts: Sequence[ObjectiveVerdict], *, ok: bool, errors: int) -> Never:
        end(made, verdicts, ok=ok, errors=errors if self.fail_on_error else 0)


def as_json(result: RunResult, made: RunDocument) -> dict[str, Any]:
    """Return the document of a run, and beside it what programs of earlier versions read."""
    return {**report.as_json(result), **made.as_json()}
