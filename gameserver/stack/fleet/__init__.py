"""The nodes behind HAProxy: listed, added, drained, removed and restarted while players play.

Door: `front` (`Front`, `nodes_command`, `stop_seconds`), `overview`, `control` (`ControlSocket`).
"""
