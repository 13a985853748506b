"""The doors: they decode, ask a command, and encode what it returns."""
