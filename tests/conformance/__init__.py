"""Conformance: one test per sentence of the Engine.IO 4 and Socket.IO 5 protocol documents, over raw sockets.

Where the official Node server and this package differ on purpose, the test says so (`ours(…, node=…)`, or a skip when
`FOREIGN`), and the difference stands in this table:

| what | Node | here | why |
|---|---|---|---|
| unknown method on a session (PUT) | 500, empty | 400 | the client's fault, not the server's |
| WebSocket with another `EIO` | 101, then dropped | refused before 101 | nothing is allocated |
| upgrade with `transport=polling` | 101, then closed | refused before 101 | nothing is allocated |
| second WebSocket of a session | 101, then closed | that, or refused before 101 | nothing is allocated |
| probe with `allow_upgrades` off | served | refused | the option says so |
| `42`, `43` without a payload | let through, nameless | connection closed | there is nothing to dispatch |
| over 10 attachments on emit | sent; the client breaks off | `ValueError` at the emit | the fault is the caller's |
| placeholder number `true`, `0.5` | `undefined` as argument | connection closed | an index is asked for |
| no pong, but an upgrade in between | never timed out | `ping timeout` | a silent client must go |
| Origin that `cors` does not allow | served, without headers | refused | a browser enforces nothing on a WebSocket |
| `cookie` as a mapping | merged into defaults | exactly what is given | Flask-SocketIO's meaning |
| `EIO` neither 3 nor 4, with `allow_eio3` | taken for 3 | refused, code 5 | a client has to say what it speaks |
| revision 3: a body or frame that is no packet | sometimes let through | connection closed | as in revision 4 |
| revision 3: unknown namespace | `{"message":…}` | `"Invalid namespace"` | as every refusal there |
| Origin, nothing configured | not looked at | own origin only | Flask-SocketIO's default, and safer |
"""
