"""Clients for every kind of Redis, and Lua scripts called by name.

Door: `clients` (connect), `scripts` (Script), `legend` (assemble), `coalescing` (CoalescedScript), `faults` (LOST,
translated).
"""
