"""The tester tested: faults planted one at a time in a copy of the server, which the swarm has to catch."""
