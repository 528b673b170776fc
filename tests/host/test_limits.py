"""Limits of the process."""

import resource

import pytest

from trikv.host.limits import raise_file_limit


def test_soft_limit_becomes_hard(monkeypatch: pytest.MonkeyPatch) -> None:
    """The soft limit is raised to the hard one, and what cannot be raised stays."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        assert raise_file_limit() == before[1]
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
        assert raise_file_limit() == before[1]

        def refuse(*_: object) -> None:
            raise ValueError("not on this system")

        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        monkeypatch.setattr(resource, "setrlimit", refuse)
        assert raise_file_limit() == 256
        monkeypatch.undo()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
