"""The command line's groups, a module each."""
