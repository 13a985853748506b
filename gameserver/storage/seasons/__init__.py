"""Seasons: their dates, the scores of each, how one ends, and past standings."""
