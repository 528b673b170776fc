"""trikv.client: the one Redis client that all our tools and tests share. This is the package's design.

Whoever asks a server something (``trikv bench``, ``status``, ``torture``, the supervisor, the clients in the
simulator, the tests) does it through here. So it is said once how a password is given, what an error is and
what a broken connection means. It knows a server by the protocol alone: nothing of a node or its machine.

===========  ================================================================================================
module       its one idea
===========  ================================================================================================
`commands`   pure: a command as bytes
`replies`    pure: what a reply may be, `ErrorReply` among it; the reader that makes replies of bytes
`login`      pure: AUTH, and what the answers to it mean
`info`       pure: INFO as fields
`errors`     pure: what may go wrong with a connection
`dialogue`   pure: one connection without the connection; both clients are shells around it
`blocking`   `BlockingClient`: a socket, a time-out on everything
`on_trio`    `TrioClient`: any Trio stream, the simulator's included
`endpoint`   addresses, what they stand for, sockets that are connected to them
`dial`       a `TrioClient` by real sockets
===========  ================================================================================================

The pure part knows no Trio, no socket and no clock (a contract says so); the simulator imports nothing that
could open a socket (another one).

**A reply is matched to its command by order alone**, so whatever could shift the order ends the connection:

- A push message is told from a reply by its mark, put aside and given to who asks for it (`take_pushes`).
  More than a megabyte of them that nobody takes is an error: dropping one could lose a message, or an
  invalidation.
- After a time-out, or a cancellation, replies are owed. `call` and `pipeline` refuse to ask while any is:
  what came next would be taken for the answer to something else.
- Bytes that are no reply, and a reply without end, are errors of the connection.

What a server *declares* is not bounded: hiredis makes room for as many elements as an array says it has. Our
tools ask servers that a person has named, and a node, which is asked by strangers, does not use hiredis.

**What each user does differently, and why.** `trikv bench` sends load from one epoll loop without waiting,
with a state machine of its own; it shares the encoding, the reader, the login and the endpoints, but no
client: a call in Python for each reply would cost a tenth of its rate. ``trikv cli`` carries lines as people
type them, not commands, and shows what comes back as it is; it shares how to connect, and the words by which
a server says that it wants no password. The simulator's connection adds what a client believes of it.

**A command that waits long** (blocking commands) takes `send`, then `receive`, which on Trio may be cancelled
and called again. **A connection that is told things** (subscriptions) takes its messages from `take_pushes`
with RESP3, and one by one from `receive` with RESP2, where they look like replies.
"""
