"""Programs that tests drive and a machine may lack: skipped by name, or a failure under TRIKV_STRICT=1."""

import os
import shutil

import pytest


def require_tool(name: str) -> str:
    """Give the path of program `name`. Without it the test is skipped, or fails where CI promised it."""
    path = shutil.which(name)
    if path is not None:
        return path
    if os.environ.get("TRIKV_STRICT") == "1":
        pytest.fail(f"{name} is not installed, and TRIKV_STRICT=1 allows no skip: see .ci/run")
    pytest.skip(f"{name} is not installed: .ci/run shows which packages bring it")
