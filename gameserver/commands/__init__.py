"""What players and operators can ask for, one async function each.

Door: every module here, with the dataclass that its functions take first (`commands`: all of them), and `results`,
which names what they return.
"""
