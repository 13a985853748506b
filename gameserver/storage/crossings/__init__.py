"""What crossed between databases of which one went back to an earlier moment: put right where it can be, else listed.

Door: `crossing` (`reconciled`) and `findings` (`Findings`).
"""
