"""Who a player is: claims, sign-up, rename, deletion, password, ban.

Door: `claims` (`Claims`), `enrolments` (`Enrolments`), `entrants` (`Entrants`, `Entrant`), `identities`
(`Identities`), `credentials` (`Credentials`), `devices` (`Devices`), `player_keys` (`Device`), `bans` (`Bans`,
`BanChange`, `Ban`, `PresentBan`, `require_ahead`), `due_bans` (`DueBan`, `due_bans`), `erasure` (`Erasure`, `Traces`),
`erased_letters` (`ErasedLetter`), `own_ledger` (`OwnLedger`, `OwnRow`, `Progress`, `FIRST`, `ROWS`, `TABLES`),
`erasure_search` (`Elsewhere`), `intake` (`Intake`, sign-ups by the thousand) and `looks` (`Looks`).
"""
