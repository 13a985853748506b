"""The wire as a client sees it: HTTP, sockets, retries and resumption."""
