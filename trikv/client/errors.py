"""The errors of a connection. An error that the server answers is a reply, and none of these.

::

    OSError
     ├─ TimeoutError         Python's own: no answer in time
     └─ ConnectionError      Python's own: refused, reset, broken
         ├─ ClosedError      the server ended the connection in order
         ├─ GarbledError     it does not speak the Redis protocol
         └─ FloodError       it sent more than a client holds
    Refused                  it answered, but does not accept the password

After any OSError the fate of unanswered commands is unknown, and the connection is unusable. To connect again
may help then; after `Refused` it does not, which is why that is no OSError.
"""


class ClosedError(ConnectionError):
    """The server ended the connection in order. A reset is a ConnectionError, but not this one."""


class GarbledError(ConnectionError):
    """The server sent bytes that are no reply of the Redis protocol."""


class FloodError(ConnectionError):
    """A reply without end, or more push messages than are kept until they are taken."""


class Refused(Exception):  # noqa: N818 - named for what the server did
    """The server answered, but will not serve this connection; the text is its error."""
