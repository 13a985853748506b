"""Clients for every kind of Redis, and Lua scripts called by name."""
