"""What tests need and a machine may lack: then they are skipped by name, or fail under TRIKV_STRICT=1.

CI sets TRIKV_STRICT=1, so that green means tested. Only here is `pytest` told to skip (tests/test_tidy.py).
"""

import os
import shutil
import socket
from typing import NoReturn

import pytest

Skipped = pytest.skip.Exception


def skip_unless_strict(why: str) -> NoReturn:
    """Skip this test, saying `why`; under TRIKV_STRICT=1 it fails: whoever sets that wants every test run."""
    if os.environ.get("TRIKV_STRICT") == "1":
        pytest.fail(f"{why}; TRIKV_STRICT=1 allows no skip: see .ci/run", pytrace=False)
    pytest.skip(why)


def skip_without(what: str) -> NoReturn:
    """Skip this test, under TRIKV_STRICT=1 too: the machine lacks `what`, and no package brings it.

    Root and what only root may, descriptors beyond the hard limit, IPv6: containers are often made without,
    and nobody who runs `.ci/run` in one could help it. pytest names these tests at its end (``-ra``).
    """
    pytest.skip(f"NOT HERE: {what}")


def needs_of_machine(there: object, what: str) -> pytest.MarkDecorator:
    """`skip_without` as a mark: these tests cannot run unless `there` is true."""
    return pytest.mark.skipif(not there, reason=f"NOT HERE: {what}")


def needs(there: object, why: str) -> pytest.MarkDecorator:
    """Mark tests that cannot run unless `there` is true. They are asked before their fixtures are made."""
    return pytest.mark.needs(bool(there), why)


def require_tool(name: str) -> str:
    """Give the path of program `name`. Without it the test is skipped, or fails where CI promised it."""
    path = shutil.which(name)
    if path is None:
        skip_unless_strict(f"{name} is not installed: .ci/run shows which packages bring it")
    return path


def _has_ipv6() -> bool:
    """Try it: a container often has a kernel that knows IPv6 and no address of it."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_ipv6 = needs_of_machine(_has_ipv6(), "IPv6: there is no ::1")
