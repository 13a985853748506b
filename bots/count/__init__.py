"""What the bots count while they play: latencies, outcomes, and connections over time.

Door: `tally` (`Tally`), `latencies` (`Latencies`), `series` (`Series`).
"""
