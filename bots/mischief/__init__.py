"""Clients that break the rules, beside an honest player that must not notice.

Door: `misbehave` (`misbehave`, `Incident`), `kinds` (`KINDS`).
"""
