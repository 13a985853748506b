"""`Players.act` and `Players.read`, and the group commit behind them.

Door: `players` (`Players`), `replica_reads` (`ReplicaReads`, `Wanted`, `StalenessLimits`), `command` (`Command`,
`Receipt`), `rule_log` (`rule_failed`, `rule_was_slow`), `batches` (`BatchTerms`) and `pending` (`CommitLimits`).
"""
