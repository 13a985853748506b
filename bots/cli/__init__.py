"""The command line of the bots, a module for each kind of command; no logic.

Door: `proving` (`run_command`), `taking_part` (`part_command`), `joining` (`merge_command`), `checking`
(`check_history_command`), `loading` (`bench_command`, `idle_command`), `breaking` (`misbehave_command`,
`overload_command`), `reporting` (`report_command`, `compare_command`), `climbing` (`ladder_command`).
"""
