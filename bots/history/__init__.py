"""The history of a run: every request of the bots and how it ended, a JSON object a line, for any checker to read.

Door: `writer` (`HistoryWriter`), `lines` (`HistoryLine`, `read_lines`, `BadHistoryError`), `joining` (`join`,
`part_of`).
"""
