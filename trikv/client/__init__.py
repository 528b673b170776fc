"""trikv.client: the one Redis client that all our tools and tests share. This is the package's design.

All code that asks a server something (``trikv bench``, ``status``, ``torture``, the supervisor, the clients
in the simulator, the tests) uses it. So there is one place for how a password is given, what an error is and
what a broken connection means. It knows only the protocol of a server, and nothing of a node or its machine.

===========  ================================================================================================
module       its one idea
===========  ================================================================================================
`commands`   pure: a command as bytes
`replies`    pure: the kinds of replies, such as `ErrorReply`; the reader that makes replies from bytes
`login`      pure: AUTH, and the meaning of the answers to it
`info`       pure: INFO as fields
`errors`     pure: the errors of a connection
`dialogue`   pure: the logic of one connection, without its socket; both clients are shells around it
`blocking`   `BlockingClient`: a socket, a time-out on everything
`on_trio`    `TrioClient`: any Trio stream, the simulator's included
`endpoint`   addresses, their endpoints, sockets that are connected to them
`dial`       a `TrioClient` by real sockets
===========  ================================================================================================

The pure part knows no Trio, no socket and no clock (a contract says so); the simulator imports nothing that
could open a socket (another one).

**A reply is matched to its command only by order**, so anything that could shift it ends the connection:

- A push message is recognised by its mark, put aside, and given out on request (`take_pushes`). More than a
  megabyte of them that is not taken is an error, because to drop one could lose a message or an invalidation.
- After a time-out, or a cancellation, replies are owed. `call` and `pipeline` refuse to ask while any is:
  the next reply would be taken for the answer to another command.
- Bytes that are no reply, and a reply without end, are errors of the connection.

The length that a server *declares* is not bounded: hiredis allocates as many elements as an array claims to
have. Our tools only ask servers that a person has named. A node, which strangers ask, does not use hiredis.

**What each user does differently, and why.** `trikv bench` sends load from one epoll loop without waiting,
with its own state machine; it shares the encoding, the reader, the login and the endpoints, but no client: a
call in Python for each reply would cost a tenth of its rate. ``trikv cli`` carries lines as people type them,
not commands, and shows answers unchanged; it shares how to connect, and the words by which a server says that
it wants no password. The simulator's connection adds the client's beliefs about it.

**For a command that waits long** (blocking commands) use `send`, then `receive`, which on Trio may be
cancelled and called again. **A connection with subscriptions** gets its messages from `take_pushes` with
RESP3, and one by one from `receive` with RESP2, where they look like replies.
"""
