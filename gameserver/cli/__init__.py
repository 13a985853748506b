"""The command line: a module for each group of commands, and what they share.

Door: `backups`, `boards`, `check`, `config_file`, `databases`, `doctor`, `failover`, `looks`, `move_bars`, `new`,
`nodes`, `running`, `seasons`, `slots` and `tables`, all of them for `gameserver.__main__` alone.
"""
