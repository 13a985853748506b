"""The command line of the bots, a module for each kind of command; no logic.

Door: `proving` (`run_command`), `checking` (`check_history_command`), `loading` (`bench_command`, `idle_command`),
`breaking` (`misbehave_command`, `overload_command`).
"""
