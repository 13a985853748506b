"""The wire as a client sees it: HTTP and WebSocket, retries under one key, and the resumption of a stream.

Door: `player_client` (`PlayerClient`, `Reply`), `http` (`open_session`), `network` (`Network`), `channel` (`Channel`),
`requests` (`Request`), `answers` (`Answer`, `AnswerKind`), `bodies` (`State`, `MailSent`), `errors`
(`BadAnswerError`, `UnreachableError`), `command_ids` (`CommandIds`), `interruptions` (`LOST`, `SENT_AWAY`); without
retries: `connecting` (`Endpoint`, `connect_http`, `connect_socket`, `allow_files`), `rawsocket` (`SocketConnection`,
`frame`), `rawhttp` (`HttpConnection`); `pushes` (`PushHistory`, `SocketPushes`).
"""
