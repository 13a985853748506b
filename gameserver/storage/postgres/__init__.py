"""Connections, and the place where driver errors become the product's own.

Door: `database` (`Database`, `one_by_one`), `databases` (`Databases`), `replica` (`Replica`, `Replicas`), `report`
(`Report`), `link` (`Link`, `HOT_PATH`), `driver` (`DriverConnection`, `Lineage`, `CommitUnsure`, `LEAVE_A_MARK`),
`faults` (`LOST`, `BUSY`, `translated`), `commit_points` (`at_commit_point`, `before_commit_point`), `causes` (`Unfit`,
`NoPrimary`), `durability`, `clocks` (`NodeClock`), `connections`, `reading` (`fetch`), `shares` (`Purpose`, `using`),
`waits` (`counted_by`, `waiting_for`, `noted`), `passfile` (`has_password`), `patience`, `locks`, `sole_locks`
(`SoleLock`, `fenced_alone`, `end_frozen`), `frozen_sessions` (`FrozenSessions`), `versions`, `statements` and
`coalescing` (`DatabaseCoalescer`, `overloaded`).
"""
