"""Inputs by the thousand that nobody wrote down: every door stays polite, its log clean, its data unchanged.

`make test` runs a bounded part with fixed seeds. `make soak` spends DURATION seconds (3600 unless given) on fuzzers: a
quarter each on schemathesis as a player and as an operator, half on frames. Beside that it sends COUNT bad requests
(1,000,000 unless given). SEED (1 unless given) makes a run repeatable.
"""
