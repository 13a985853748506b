"""Seasons: their dates, the scores of each, how one ends, and past standings.

Door: `calendar` (`Calendar`), `records` (`SeasonRecords`, `SeasonRecord`, `DueReward`, `PastPlace`), `end`
(`SeasonEnd`), `past` (`PastStandings`), `old_scores`, `scoring` (`Scoring`, `Scores`, `CorrectedScore`) and
`rescoring` (`Rescoring`, `Deed`).
"""
