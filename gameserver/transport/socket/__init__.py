"""The WebSocket door: one conversation per socket.

Door: `conversation` (the handler of the path), `sockets` (`Sockets`, every open socket of the node), `places`
(`SocketLimits`), `memory` (`MemoryLimits`).
"""
