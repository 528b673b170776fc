"""``python -m trikv``: the same as the ``trikv`` command, for where no script was installed."""

import sys

from trikv.cli import main

sys.exit(main())
