"""The process: ``trikv``, and ``python -m trikv`` for where no script was installed."""

import sys

from trikv import interrupts


def main() -> int:
    """Load the command line and run what the arguments say; the exit code."""
    interrupts.begin(sys.argv[1:])
    from trikv import cli  # noqa: PLC0415 - it takes half a second, and a Ctrl-C shall find us ready

    exit_code = cli.main()
    interrupts.finish()
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
