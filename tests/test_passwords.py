"""Passwords from files and variables: never on a command line, never empty by mistake, never half read."""

import os
from pathlib import Path

import pytest

from trikv.config import ConfigError, resolve
from trikv.passwords import BYTES_MAX, Found, for_client, read, warning_of
from trikv.remarks import remarks


def written(tmp_path: Path, data: bytes, mode: int = 0o600) -> str:
    """A file."""
    path = tmp_path / "password"
    path.write_bytes(data)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_file_holds_one_line(tmp_path: Path, end: bytes) -> None:
    """Its end is no part of the password; bytes that are no UTF-8 are."""
    assert os.fsencode(read(written(tmp_path, b"s p\xff" + end))) == b"s p\xff"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "the file is empty"),
        (b"\n", "the file is empty"),
        (b"a\nb\n", "expected one line"),
        (b"a\0b", "expected one line"),
        (b"x" * (BYTES_MAX + 1), "expected one line"),
    ],
)
def test_what_is_no_password_file(tmp_path: Path, data: bytes, expected: str) -> None:
    """Half a sentence that names the file."""
    path = written(tmp_path, data)
    with pytest.raises(ValueError, match=expected) as caught:
        read(path)
    assert path in str(caught.value)
    with pytest.raises(ValueError, match="No such file"):
        read(f"{path}.nowhere")


def test_others_should_not_read_it(tmp_path: Path) -> None:
    """A warning, and no refusal: Kubernetes and docker mount their secrets readable."""
    assert warning_of(written(tmp_path, b"p")) == ""
    assert "others can read the password (mode 0644); chmod 600 it" in warning_of(
        written(tmp_path, b"p", 0o644)
    )


def test_where_a_client_finds_its_password(tmp_path: Path) -> None:
    """A flag, a file, then the variables a node has; one given on the command line is warned of."""
    path = written(tmp_path, b"of file\n")
    assert for_client(None, None, {}) == Found(None)
    assert for_client(None, None, {"TRIKV_REQUIREPASS": "abc"}) == Found(b"abc")
    assert for_client(None, None, {"TRIKV_REQUIREPASS_FILE": path}) == Found(b"of file")
    assert for_client(None, path, {"TRIKV_REQUIREPASS": "abc"}) == Found(b"of file")
    flag = for_client("p\udcff", None, {"TRIKV_REQUIREPASS": "abc"})
    assert flag.password == b"p\xff"
    assert "'ps' shows it" in flag.warning


@pytest.mark.parametrize(
    ("given", "file", "environment", "expected"),
    [
        ("", None, {}, "--password is given, but empty"),
        (None, "", {}, "--password-file is given, but empty"),
        (None, None, {"TRIKV_REQUIREPASS": ""}, "TRIKV_REQUIREPASS is given, but empty"),
        (None, None, {"TRIKV_REQUIREPASS_FILE": ""}, "TRIKV_REQUIREPASS_FILE is given, but empty"),
        (None, None, {"TRIKV_REQUIREPASS": "a", "TRIKV_REQUIREPASS_FILE": "b"}, "both set"),
        ("a", "b", {}, "both given"),
        (None, "/nowhere", {}, "--password-file: /nowhere: No such file"),
    ],
)
def test_what_a_client_refuses(
    given: str | None, file: str | None, environment: dict[str, str], expected: str
) -> None:
    """An empty variable is one that was never set: to go on without a password would be to guess."""
    with pytest.raises(ValueError, match=expected):
        for_client(given, file, environment)


def test_a_node_reads_its_password_from_a_file(tmp_path: Path) -> None:
    """By flag, variable or TOML; the way of the highest rank counts, whichever it is."""
    path = written(tmp_path, b"of file\n")
    toml = tmp_path / "node.toml"
    toml.write_text('requirepass = "of toml"\n', encoding="utf-8")
    assert resolve(flags={"requirepass-file": path}).requirepass == "of file"
    assert resolve(environment={"TRIKV_REQUIREPASS_FILE": path}, file=str(toml)).requirepass == "of file"
    toml.write_text(f'requirepass_file = "{path}"\n', encoding="utf-8")
    assert resolve(file=str(toml)).requirepass == "of file"
    over = resolve(environment={"TRIKV_REQUIREPASS": "abc"}, file=str(toml))
    assert (over.requirepass, over.requirepass_file) == ("abc", "")


@pytest.mark.parametrize("name", ["requirepass", "requirepass_file"])
def test_an_empty_password_is_refused_wherever_it_is_given(tmp_path: Path, name: str) -> None:
    """A script whose variable was never set must not start a node without a password."""
    toml = tmp_path / "node.toml"
    toml.write_text(f'{name} = ""\n', encoding="utf-8")
    flag, variable = f"--{name.replace('_', '-')}", f"TRIKV_{name.upper()}"
    for source, sources in (
        (flag, {"flags": {name: ""}}),
        (variable, {"environment": {variable: ""}}),
        (f"{toml}: {name}", {"file": str(toml)}),
    ):
        with pytest.raises(
            ConfigError, match=r"^[^\n]* is given, but empty, which would mean no password"
        ) as said:
            resolve(**sources)
        assert str(said.value).startswith(f"{source}: ")


def test_two_passwords_are_refused() -> None:
    """Of one source nobody can say which counts."""
    with pytest.raises(ConfigError, match="TRIKV_REQUIREPASS and TRIKV_REQUIREPASS_FILE: two ways"):
        resolve(environment={"TRIKV_REQUIREPASS": "a", "TRIKV_REQUIREPASS_FILE": "b"})
    with pytest.raises(ConfigError, match="--requirepass-file: /nowhere: No such file"):
        resolve(flags={"requirepass_file": "/nowhere"})


def test_a_password_on_the_command_line_is_warned_of(tmp_path: Path) -> None:
    """Once, in the node's log; it still works."""
    config = resolve(flags={"requirepass": "hunter2"})
    (said,) = remarks({"requirepass": "hunter2"}, {}, config)
    assert said.is_warning
    assert "'ps' shows it" in said.text
    assert "hunter2" not in said.text
    path = written(tmp_path, b"p", 0o644)
    given = {"requirepass_file": path}
    (said,) = remarks(given, {}, resolve(flags=given))
    assert "others can read" in said.text


@pytest.mark.parametrize(
    ("listen", "is_told"),
    [
        ("127.0.0.1", False),
        ("127.3.4.5", False),
        ("::1", False),
        ("[::1]", False),
        ("localhost", False),
        ("0.0.0.0", True),
        ("::", True),
        ("10.0.0.1", True),
        ("db.example", True),
        ("127.0.0.1 10.0.0.1", True),
    ],
)
def test_an_open_port_without_a_password_is_warned_of(listen: str, is_told: bool) -> None:  # noqa: FBT001
    """Whoever listens to the world should ask for a password; with one nothing is said."""
    said = remarks({}, {}, resolve(flags={"listen": listen}))
    assert [listen in one.text and "set requirepass" in one.text for one in said] == [True] * is_told
    assert not remarks({}, {}, resolve(flags={"listen": listen}, environment={"TRIKV_REQUIREPASS": "x"}))


def test_a_password_that_is_no_utf_8_is_kept_and_an_impossible_one_not_shown() -> None:
    """Bytes of the environment are the password; a refusal does not print it."""
    assert os.fsencode(resolve(environment={"TRIKV_REQUIREPASS": "p\udcff"}).requirepass) == b"p\xff"
    with pytest.raises(ConfigError, match="zero byte") as caught:
        resolve(flags={"requirepass": "hunter\0two"})
    assert "hunter" not in str(caught.value)


@pytest.mark.parametrize("name", ["\x1f", "\u2028", "a\nb", "\x1b[2J"])
def test_a_path_is_named_in_one_line(name: str) -> None:
    """Nothing of it reaches a terminal as it is."""
    with pytest.raises(ValueError, match="No such file") as raised:
        read(f"/nowhere/{name}")
    text = str(raised.value)
    assert text.isprintable()
    assert text.startswith("/nowhere/")
