"""`Players.act` and `Players.read`, and the group commit behind them.

Door: `players` (`Players`), `command` (`Command`, `Receipt`) and `pending` (`CommitLimits`).
"""
