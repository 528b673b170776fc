"""INFO as fields."""

from trikv.client.info import parse_info


def test_fields_are_read_and_headings_are_not() -> None:
    """From bytes or text, whatever ends the lines; a value may hold colons."""
    text = "# Server\r\nrole:master\r\n\r\n# Clients: all\r\nlisten:[::1]:8080 \r\nnothing\r\n"
    assert parse_info(text) == parse_info(text.encode()) == {"role": "master", "listen": "[::1]:8080"}


def test_bytes_that_are_no_text_do_not_stop_it() -> None:
    """A path in it may be any bytes."""
    assert parse_info(b"dir:\xff\r\nport:1\r\n")["port"] == "1"
