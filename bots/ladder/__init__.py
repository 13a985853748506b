"""The ladder: the same play on every step of growth that `config/` has, and what each step gains and costs, measured.

Door: `climb` (`climb`, `ClimbPlan`), `rungs` (`RUNGS`, `Rung`), `page` (`page`), `picture` (`picture`), `measures`
(`RungFigures`, `as_json`), `shown` (`show`).
"""
