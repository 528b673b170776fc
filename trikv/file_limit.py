"""The system's limit on open files: raised as far as allowed, and checked before anything starts."""

import contextlib
import resource

from trikv.config import ConfigError
from trikv.host import clock
from trikv.node.descriptors import TooFewDescriptors, share


def raise_file_limit() -> None:
    """Raise the soft limit on open files to the hard one: the usual 1024 is below `maxclients`."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS refuses "unlimited"; the soft limit then stays
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def check_file_limit(*, peers: int, listeners: int) -> None:
    """Refuse a limit on open files under which a node could not even start. Raises ConfigError.

    The node itself divides its descriptors, and knows better. But for that it must have been started.
    """
    try:
        share(clock.descriptors(), peers=peers, listeners=listeners)
    except TooFewDescriptors as error:
        raise ConfigError(str(error)) from error
