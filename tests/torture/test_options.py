"""What a torture may be asked to be; every refusal is one line."""

from pathlib import Path

import pytest

from trikv import cli
from trikv.bench.options import OptionError
from trikv.client.endpoint import Address
from trikv.torture.options import Options, Target, parse_target


def test_targets() -> None:
    """Addresses as Redis' clients write them."""
    assert parse_target("redis://localhost:6379") == Target(Address("localhost", 6379))
    assert parse_target("redis://:a%40b@[::1]:6379/") == Target(Address("::1", 6379), b"a@b")
    assert parse_target("redis://:%ff\udcfe@h:1") == Target(Address("h", 1), b"\xff\xfe")


@pytest.mark.parametrize(
    "text", ["localhost:6379", "redis://localhost", "http://a:1", "redis://a:99999", "redis://a:1/3"]
)
def test_what_is_no_target(text: str) -> None:
    """The line shows the form."""
    with pytest.raises(OptionError, match=r"redis://host:port"):
        parse_target(text)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--seconds", "0"], "--seconds must be from 1 to 600"),
        (["--seconds", "nan"], "--seconds must be from 1 to 600"),
        (["--clients", "1000"], "--clients must be from 1 to 200"),
        (["--port", "60000"], "--port must be from 1 to 55,533"),
        (["--target", "here"], "'here' is not redis://host:port"),
        (["--target", "redis://a:1", "--against-redis"], "--against-redis does not go with --target"),
        (["--target", "redis://a:1", "--port", "80"], "--port does not go with --target"),
        (["--report", "/nowhere/at/all.json"], "--report: there is no directory /nowhere/at"),
        (["--data-directory", "/proc"], "--data-directory: /proc is not empty"),
    ],
)
def test_bad_options(capsys: pytest.CaptureFixture[str], words: list[str], expected: str) -> None:
    """Exit code 2, one line."""
    assert cli.main(["torture", *words]) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1


def test_a_missing_redis_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for and not installed: refused; not asked for: left out."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert cli.main(["torture", "--against-redis"]) == 2
    assert "redis-server is not installed" in capsys.readouterr().err


def test_a_data_directory_must_be_blank(tmp_path: Path) -> None:
    """A new one, or an empty one."""
    Options(data_directory=tmp_path)
    Options(data_directory=tmp_path / "new")
    file = tmp_path / "file"
    file.touch()
    for directory in (tmp_path, file):
        with pytest.raises(OptionError, match="--data-directory"):
            Options(data_directory=directory)
