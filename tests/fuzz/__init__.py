"""Inputs by the thousand that nobody wrote down: every door stays polite, its log clean, its data unchanged.

`make test` runs a bounded part with fixed seeds; `make soak` goes on for DURATION seconds (3600 unless given) and sends
COUNT bad inputs (1,000,000 unless given). SEED (1 unless given) makes a run repeatable.
"""
