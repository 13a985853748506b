"""What a person at the terminal sees of a run: progress, tables and sentences; and the same figures as JSON.

Door: `report` (`as_json`, `show`), `figures` (`show_bench`, `show_idle`, `show_incident`),
`overloaded` (`as_json`, `show_door`, `show`), `documents` (`read`, `sides`, `write_page`, `write_sheet`), `comparison`
(`compare`), `compared` (`show`), `proved` (`show`), and the
doors of `html`.
"""
