"""What runs by itself on every node, for as long as the node runs.

Door: `loops` (periodic work, and `sweep`), `closing` (`Closing`, seasons), `campaigns` (letters to many players),
`live` (`Live`, pushes to sockets), `postman` (`Postman`, mail), `rules` (`RulesUpkeep`), `takeover` (slot moves whose
mover has died), `stillness` (`Stillness`, what holds up the node), `each` (what is due, one after another) and
`reconciling` (databases that were failed over).
"""
