"""What the bots count while they play: latencies, outcomes, and connections over time.

Door: `tally` (`Tally`), `latencies` (`Latencies`, `LatencyBucket`), `series` (`Series`), `document` (`RunDocument` and
what it consists of), `operations` (`RunCounts`, `OperationCounts`), `merging` (`merge`),
`slo` (`Objective`).
"""
