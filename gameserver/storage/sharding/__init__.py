"""Changing the slot map while players play."""
