"""The command line: a module for each group of commands, and what they share.

Door: `audit`, `auditing`, `backups`, `boards`, `campaigns`, `check`, `config_file`, `databases`, `doctor`,
`failover`, `keys`, `looks`, `move_bars`, `new`, `nodes`, `places`, `rank`, `replay`, `replay_report`, `rules`,
`running`, `seasons`, `slots` and `tables`, all of them for `gameserver.__main__` alone.
"""
