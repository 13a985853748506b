"""What crossed between databases of which one went back to an earlier moment: put right where it can be, else listed.

Door: `crossing` (`went_back`, `put_right`, `listed`), `campaigns` (those that a restore holds back), `erasures` (those
that were undone) and `findings` (`Findings`).
"""
