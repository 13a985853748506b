"""Questions over all databases, and the audit log.

Door: `reports` (`Reports`, `Question`, `Ranking`, `Count`, `By`), `survey` (`Survey`, `Holding`, `GroupUsage`,
`SlotRange`), `audit` (`Audit`), `condition` (`Symptom`), `parameters`, `standby_condition`, `redis_condition`,
`old_weeks`, and `game_names` (`GameNames`, `Holdings`).
"""
