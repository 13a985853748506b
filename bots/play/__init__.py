"""Bots that play like players, and the record that each keeps of what the server answered.

Door: `swarm` (`Swarm`, `SwarmPlan`), `bot` (`Bot`, `PlayWindow`), `record` (`BotRecord`), `belongings` (`Belongings`),
`catalogue` (`Catalogue`, `ExpBoard`), `identities`, and `sign_ups` (`LoadPlayer`).
"""
