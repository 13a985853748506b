"""The WebSocket door: one conversation per socket."""
