"""The report of a run as one HTML file that needs nothing else: no network, no second file.

Door: `page` (`page`, `whole`), `charts` (`Chart`, `over_time`), `markup` (`Markup`, `element`, `table`, `text`).
"""
