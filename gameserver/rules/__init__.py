"""The game's rules, pure: no clock, no chance of their own, no I/O; all of it comes in as values."""
