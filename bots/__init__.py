"""A black-box client and swarm: it speaks the wire only, plays, and proves what the server promises."""
