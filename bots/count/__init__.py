"""Counts: latencies, outcomes, and series over time."""
