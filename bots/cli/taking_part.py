"""`bots part`, which no person calls: one generator of a run that another process conducts."""

from dataclasses import replace

from bots.cli.course import as_json
from bots.cli.ending import carry_out, give_up
from bots.cli.evidence import end_history, part_history
from bots.cli.options import DEFAULTS
from bots.conducting.part import ConductorLeftError, PartStage, read_orders, report_end
from bots.play import plan_file
from bots.proving import ProofPlan, Target
from bots.recording import RunFacts, document
from bots.run import run


def part_command() -> None:
    """Carry out a part of a run for the process that conducts it (`bots run --processes`); its orders are on stdin."""
    try:
        orders = read_orders()
    except ConductorLeftError:
        give_up("`bots part` is started by `bots run --processes`")
    whole = plan_file.parse(orders["plan"], replace(DEFAULTS, name_prefix=orders["name_prefix"]))
    plan = whole.part(orders["part"], orders["parts"])
    words = {**orders["target"]}
    target = Target(tuple(words["urls"]), words["admin_key"], tuple(words["admin_urls"]), words["patience"])
    proof = ProofPlan(probes=orders["probes"] and orders["part"] == 0, history=part_history(orders))
    result = carry_out(run(plan, target, PartStage(), proof))
    end_history(proof)
    facts = RunFacts(orders["plan"], orders["arguments"], orders["server"])
    report_end(as_json(result, document(result, plan, target, facts)))
