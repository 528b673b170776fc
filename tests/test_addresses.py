"""Addresses as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trikv.addresses import join_address, split_address
from trikv.notation import parse_address


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("[::1]:0", ("::1", 0)),
        ("localhost:65535", ("localhost", 65535)),
    ],
)
def test_split(text: str, parts: tuple[str, int]) -> None:
    """Hosts, numbers and bracketed IPv6 are understood, and joined back to the same text."""
    assert split_address(text) == parts
    assert join_address(*parts) == text


@pytest.mark.parametrize(
    "text", ["", "8080", ":8080", "[]:1", "::1:80", "a:", "a:b", "a:-1", "a:65536", "a:\u0661", "a: 1"]
)
def test_refused(text: str) -> None:
    """Anything else is refused in one line that shows it."""
    with pytest.raises(ValueError, match="is no address") as caught:
        split_address(text)
    assert repr(text) in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=20))
def test_any_text(text: str) -> None:
    """Any text is split or refused; what is split joins to an address that splits the same."""
    try:
        parts = split_address(text)
    except ValueError:
        return
    if "[" not in parts[0]:
        assert split_address(join_address(*parts)) == parts


@pytest.mark.parametrize(("text", "port"), [("h:0", 0), (" h:7 ", None), ("h:07", None), ("a b:7", None)])
def test_settings_and_sockets_read_addresses_alike(text: str, port: int | None) -> None:
    """By one reader: what is to be dialled has a port besides, and may have spaces around it."""
    if port is not None:
        assert split_address(text) == ("h", port)
    else:
        with pytest.raises(ValueError, match="is no address"):
            split_address(text)
    if text.strip() == "h:7":
        assert parse_address(text) == ("h", 7)
    else:
        with pytest.raises(ValueError, match="is no address"):
            parse_address(text)
