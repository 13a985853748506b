"""The invariants that a run must show."""
