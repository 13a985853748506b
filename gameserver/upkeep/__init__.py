"""What runs by itself on every node, for as long as the node runs.

Door: `loops` (periodic work, and `sweep`), `closing` (`Closing`, seasons), `live` (`Live`, pushes to sockets),
`postman` (`Postman`, mail) and `takeover` (slot moves whose mover has died).
"""
