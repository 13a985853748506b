"""Who sends a request: a client at an address, or a back end with a key; and by what each is limited.

Door: `callers` (what handlers ask, and `Callers`), `counting` (what of a request counts against its player or address),
`addresses` (a client's address behind proxies), `origins` (the web pages that may use the server), `headers` (those
that a request may have once), `sources` (what an address has of a node's port, and `Sources`), `denials` (who makes
most denials, `DenialWatch`) and `turns` (`AddressTurns`: how soon what an address sends is taken).
"""
