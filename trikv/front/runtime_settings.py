"""Settings of this node that CONFIG SET may change while it runs.

`_SETTINGS` of `trikv.front.commands.config` is where CONFIG SET finds them: it has Redis' name of each, the
attribute here, and the bounds.
"""

import attrs


@attrs.define
class RuntimeSettings:
    """Shared by all that obey them: a change holds from the next look on."""

    timeout_s: int
    """Idle seconds after which a RESP connection is closed; 0 never (Redis' `timeout`)."""
    typed_timeout_s: int
    """The same for connections that type."""
    maxclients: int
    requirepass: str
    """Empty: no password."""
    input_bytes_max: int = 0
    """The most memory that the requests of all clients together may take; 0: derived from the cap."""
    reads: str = "linearizable"
    """Or ``lease``. It is shown, but never changes while the node runs."""
    enable_debug_command: str = "no"
    """Who may use DEBUG: nobody, or ``local``, clients of this machine, or ``yes``, all. It never changes
    while the node runs."""
    clients_max: int = 1_000_000
    """The upper limit of `maxclients`: the descriptors left for clients (`trikv.node.descriptors`)."""
