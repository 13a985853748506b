"""Questions over all databases, operators' keys and notes, and the audit log.

Door: `reports` (`Reports`, `Question`, `Ranking`, `Count`, `By`), `survey` (`Survey`, `Holding`, `GroupUsage`,
`SlotRange`), `audit` (`Audit`, `Change`), `audit_log` (`AuditEntry`, `AuditQuestion`), `admin_keys`, `condition`
(`Symptom`), `parameters`, `standby_condition`, `redis_condition`, `notes` (`Notes`, `Note`), `old_weeks`, and
`game_names` (`GameNames`, `Holdings`).
"""
