"""What a run shows while it goes on: one screen that doesn't scroll on a terminal, a line every 5 s elsewhere.

Door: `screen` (`show`), `view` (`View`), `summary` (`show`).
"""
