"""A black-box client and swarm: it speaks only the wire protocol, plays, and proves what the server promises.

Door: `__main__`, the command line; nothing here is imported by the server.
"""
