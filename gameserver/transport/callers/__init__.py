"""Who sends a request: a client at an address, or a back end with a key."""
