"""Faults on purpose: a plan of what is done to a stack on this machine, when, and what came of it.

Law: only processes of the stack that the run plays on are touched, each told from others by its number and the moment
of its start. A freeze is thawed and a cut is ended, also when the run is interrupted; what can't be done says why.

Door: `stack` (`RunningStack`, `find`, `running`), `plan` (`ChaosPlan`, `read`), `timetable` (`Due`, `timetable`),
`nemesis` (`Nemesis`, `SKIPPED`), `errors` (`BadPlanError`).
"""
