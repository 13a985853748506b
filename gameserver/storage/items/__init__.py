"""Stacks of items, in the players' database or in one of their own."""
