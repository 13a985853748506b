"""Leaderboards in Redis, derived from the ledger and checked against it.

Door: `standings` (Boards, Page, Standing), `layout` (Contest, Card, cursors), `follower` (Follower, FollowedBoards),
`writer` (BoardWriter), `check` (BoardCheck, CheckReport), `lifecycle` (BoardLifecycle).
"""
