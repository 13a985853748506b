"""Questions over all databases, operators' keys and notes, and the audit log.

Door: `reports` (`Reports`, `Ranking`, `Count`), `questions` (`Question`, `Segment`, `By`), `spreads`, `exports`,
`survey` (`Survey`, `Holding`, `GroupUsage`, `SlotRange`), `audit` (`Audit`, `AuditedChange`), `audit_log`
(`AuditEntry`, `AuditQuestion`), `admin_keys`, `condition` (`Symptom`), `parameters`, `standby_condition`,
`redis_condition`, `notes` (`Notes`, `Note`), `mentions` (`Mentions`), `campaigns` (`CampaignRecords`,
`CampaignRecord`), `recipients` (`Recipients`, `Waiting`), `saved_queries` (`SavedQueries`, `SavedQuery`), `old_weeks`,
`rulebooks` (`Rulebooks`, `RecordedRulebook`), `rule_orders` (`RuleOrders`, `RuleOrder`), `rule_editions`
(`RuleEditions`), and `game_names` (`GameNames`, `Holdings`).
"""
