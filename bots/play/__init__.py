"""Bots that play like players."""
