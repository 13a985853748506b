"""Base backups and the databases' write-ahead log, kept in a folder, and databases restored from both.

Door: `catalog` (`BackupCatalog`, `BaseBackup`), `making` (`back_up`, `verify`), `receiver` (`WalReceiver`, `received`),
`plan` (`RestorePlan`, `plan`, `newest`), `kept_log` (`read_records`), `beginnings` (`settle`), `retention`
(`expire`), `restoring` (`restored`, `Expected`), `closing` (`ClosedDatabase`), `placing` (`DataPlace`,
`put_in_place`), `connecting` (`connected`) and `programs` (`BackupPrograms`).
"""
