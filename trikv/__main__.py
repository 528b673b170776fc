"""The process: ``trikv``, and ``python -m trikv`` if no script was installed."""

import sys

from trikv import interrupts


def main() -> int:
    """Load the command line and run what the arguments say. Returns the exit code."""
    interrupts.begin(sys.argv[1:])
    from trikv import cli  # noqa: PLC0415 - it takes half a second, in which a Ctrl-C must be handled

    exit_code = cli.main()
    interrupts.finish()
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
