"""The row that every change of a player leaves: dedupe table, history, and the log that followers read."""
