"""The doors, HTTP and WebSocket: they decode, call a command and encode what it returns.

Law: a door hands the contexts of `Commands` on to command functions and never looks into them.
Door: `routes` (the table of all HTTP paths), `service` (listens and drains), `openapi` (the document), `keys`,
`callers`, `board_pages`, `http`, `socket`, and `wire` with the errors' statuses and the limits of the protocol.
"""
