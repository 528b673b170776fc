"""INFO as fields."""


def parse_info(text: str | bytes) -> dict[str, str]:
    """Read the ``name:value`` lines; headings and empty lines are skipped. Never raises."""
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    pairs = (line.partition(":") for line in text.splitlines() if ":" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}
