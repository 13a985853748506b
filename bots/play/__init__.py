"""Bots that play like players, and the record that each keeps of what the server answered.

Door: `swarm` (`Swarm`, `guarded`, `interruptible`, `signals_to`, `close`), `playing` (`sign_up`, `play`), `recruits`
(`Recruits`, `make_bots`), `plan` (`SwarmPlan`), `plan_file` (`BadRunPlanError`), `habits` (`Choice`, `Situation`),
`bot` (`Bot`), `record` (`BotRecord`), `belongings` (`Belongings`), `catalogue` (`Catalogue`, `ExpBoard`), `placement`
(`Placement`), `identities`, and `sign_ups` (`LoadPlayer`).
"""
