"""Clients for every kind of Redis, and Lua scripts called by name.

Door: `clients` (connect, send, per_node), `scripts` (Script), `legend` (assemble), `coalescing` (CoalescedScript),
`faults` (LOST, translated), `objects` (fields_of), `unreadable` (reading, Unreadable), `lost_keys` (kind_of).
"""
