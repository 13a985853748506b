"""Lines of log: written without ever failing, and never the same one again and again.

Door: `setup` (`set_up_logs`, `console_lines`), `outage` (`Outage`).
"""
