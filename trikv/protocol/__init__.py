"""The wire protocols, without any I/O: bytes go in, events come out, and replies become bytes.

Nothing here opens a socket, reads a clock or draws a random number, so every line can be tested by feeding
bytes, one at a time or all at once. Nonces and secrets are arguments.

Towards clients
    `requests.ClientWire` takes what a socket brought and yields events until `NEED_DATA`. If a command begins
    with ``*`` it is a RESP array (`arrays`); anything else is a line. A connection that has sent only lines
    belongs to a person (`telnet`, `quoting`), and is answered for the eye. The first ``*``, as a rule a
    connection's first byte, shows a program, and the connection is a program's from then on: its lines get
    RESP replies, its empty lines none (`lines`), and no ``#`` line is sent to it. A pipeline of ordinary
    requests is taken apart by one ``bytes.split`` and handed over as one `run`, which saves an event for
    each; `arrays` says why the split is exact, and why hiredis is not used for requests (it allocates a list
    as long as a stranger *declares*, and cannot tell ``+OK`` from ``$2 OK`` in an argument). Any other shape
    goes to a careful parser that keeps its state, so a request costs time linear in its bytes however it is
    cut up. Declared lengths are checked before anything is collected.

    `resp` turns a reply into RESP2 or RESP3 (the reverse is a client's business: `trikv.client`).
    `render` shows a reply to a person in redis-cli's way, and never lets a stored value reach a terminal as
    anything but printable text.

Between nodes
    `messages` is everything that one node may say to another: Raft's messages and the node's own, one union,
    one decoder. `handshake.PeerHandshake` proves to both ends of a fresh connection that the other knows the
    cluster's secret, and which node it is. Then `frames.PeerWire` carries messages in authenticated pieces::

        listener                                        dialer
           | -- challenge: ids, cluster, nonce  ---------> |   all that a stranger ever gets
           | <- proof: ids, cluster, nonce, MAC ---------- |   the dialer proves first
           | -- MAC -------------------------------------> |
           | <======== pieces, each with its own MAC ====> |

    A piece is at most 64 KiB of one message, on one of three lanes (`lanes`: urgent, log, bulk), so a
    snapshot never holds up a heartbeat. Its MAC covers a counter of its direction: a piece that is altered,
    dropped, repeated, reordered or sent back to its sender ends the link. There is no confidentiality here;
    the documents say so.

What bounds memory: `events.WireLimits` for clients, `frames.PieceLimits` for peers, and 4 KiB before a peer
has proved itself.

Errors::

    BadBytes            an event, not an exception: the client's bytes make no sense (Redis' texts)
    PeerProtocolError   raised by handshake, frames: drop the link, back off
"""
