"""trikv: a replicated, memory-capped, in-memory key-value server on Trio.

The layers, each importing only from those to its right::

    cli > sim > node > config | host > protocol | storage > raft | machine

Every package's docstring is its design document; start with ``trikv.node`` for the way of a command.
"""

if not __debug__:
    import sys

    if sys.stderr is not None:
        sys.stderr.write(
            "trikv: refuses to run under 'python -O': its assertions guard the data; start it without -O, "
            "and without PYTHONOPTIMIZE in the environment\n"
        )
    raise SystemExit(2)  # as for any configuration that makes no sense

__version__ = "0.1.0"
