"""Probes: what the bots do beside playing so that a promise can be seen to break, each with players of its own.

Door: `probing` (`Probes`), `ground` (`ProbeGround`, `settle`), `findings` (`ProbeFindings`).
"""
