"""What the system allows a process: raised as far as it may be, and judged before anything is started."""

import contextlib
import resource

from trikv.config import ConfigError
from trikv.host import clock
from trikv.node.descriptors import TooFewDescriptors, share


def raise_file_limit() -> None:
    """Let this process open as many files as it may: the usual soft limit, 1024, is below `maxclients`."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS refuses "unlimited"; the soft limit then stays
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def check_file_limit(*, peers: int, listeners: int) -> None:
    """Refuse a limit that leaves no room even for what a node begins with. Raises ConfigError.

    The node itself divides what there is, and knows better; but it must have been started to do so.
    """
    try:
        share(clock.descriptors(), peers=peers, listeners=listeners)
    except TooFewDescriptors as error:
        raise ConfigError(str(error)) from error
