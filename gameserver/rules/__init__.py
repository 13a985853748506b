"""The game's rules, pure: no clock, no randomness of their own, no I/O; all of it comes in as values.

Door: `rulebook` (`Rulebook`), `game` (`Game`, `GameFault`), `player` (`Player`, `Moment`, `Outcome`, `Letter`, and the
marks for actions), `arguments` (`Arguments`, `MailArguments`), `items` (`Items`, `takes`), `boards` (`Board`,
`Reward`), `seasons` (`Season`), `section` (`UNREADABLE`),
`schedule` (`Schedule`), `messages` (what operators send), `names`, `passwords`,
`devices`, `reserved_names` (`ReservedNames`), `pacing` (`Pace`), `corrections` (`Correct`, `Undo`, `RollBack`,
`Correction`), `dice` (`Dice`), `checking` (of what clients send),
`player_data`, `outcomes` (the events of items), `replay` (`replay`, `Record`), `rebalance` (`plan`), `ranges`, `levels`
(`EXP_CAP`), `editions` (`RulesInForce`, `Edition`), `differences` (of two games), `errors` (the tree of errors),
`campaign_errors`, `action_table` (`BY_OPERATORS`), `game_names` (`GameName`), `roles` (`Role`), `one_time`, `what_if`
(`AlteredCourse`, `RecordedStep`, `state_of`), `what_if_tally` (`WhatIfTally`), `places` (`own_line`), `studio`
(`said`, `OWN_FIELDS`, `LONGEST_RULE`), `server_codes` (`SERVER_CODES`) and `plain_json` (`LARGEST_JSON`).
"""
