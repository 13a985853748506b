"""Sessions, and the attempts to get one."""
