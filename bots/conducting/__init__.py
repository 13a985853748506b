"""One run by several generator processes: each carries out its part of the plan, and they keep step.

Door: `conductor` (`Conductor`, `PartFailedError`), `part` (`PartStage`, `read_orders`, `report_end`,
`ConductorLeftError`).
"""
