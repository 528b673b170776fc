"""trikv: a replicated, memory-capped, in-memory key-value server on Trio.

The layers; each imports only from those to its right::

    cli > sim > node > front > config | host > protocol | storage > raft | machine

Every package's docstring is its design document. ``trikv.node`` has the way of a command: start there.
"""

if not __debug__:
    import sys

    if sys.stderr is not None:
        sys.stderr.write(
            "trikv: refuses to run under 'python -O': its assertions guard the data; start it without -O, "
            "and without PYTHONOPTIMIZE in the environment\n"
        )
    raise SystemExit(2)  # the exit code of any configuration that makes no sense

__version__ = "0.2.0.dev0"
"""The one place: the package takes it from here. Of a checkout it is the release that CHANGELOG prepares."""
