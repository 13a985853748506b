"""Load without a proof: a closed loop that measures throughput, and sockets that are only held open.

Door: `bench` (`bench`, `LoadPlan`), `idle` (`idle`, `IdleSockets`), `measure` (`LoadResult`), `connecting` (`Endpoint`,
`connect_socket`), `rawsocket` (`SocketConnection`, `frame`), `rawhttp` (`HttpConnection`), `hunter` (`code_of`).
"""
