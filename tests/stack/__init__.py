"""The stack with real servers: what is killed comes back, and what can't start says why."""
