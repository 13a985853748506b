"""Requests followed as traces: what callers say, what is dropped, and one action from a door to a board."""
