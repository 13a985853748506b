"""The console: the operators' page, as files that every node serves by itself.

Door: `pages` (ConsolePages, CONSOLE_PATHS).
"""
