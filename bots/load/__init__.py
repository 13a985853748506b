"""Load without a proof: a closed loop that measures throughput, and sockets that are only held open.

Door: `bench` (`bench`, `LoadPlan`), `idle` (`idle`, `IdleSockets`), `measure` (`LoadResult`), `hunter` (`Hunter`,
`ARGS`, `code_of`), `closed_loop` (`Greeting`, `hello`, `request_number`).
"""
