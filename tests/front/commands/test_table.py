"""What the table of a node's own commands gives each container: its HELP."""

from tests.front.doubles import Client


def test_help_of_a_container_is_its_subcommands_own_words() -> None:
    """Two lines for each: its usage without the container's name, then its summary, a full sentence."""
    client = Client()
    first, *lines = client.ask("CLIENT", "HELP").decode().rstrip().split("\r\n")[1:]
    assert first == "+CLIENT <subcommand> [<arg> ...]. Subcommands are:"
    usages, summaries = lines[::2], lines[1::2]
    assert len(usages) == len(summaries)
    assert "+SETNAME name" in usages
    assert not any(usage.startswith(("+CLIENT", "+ ")) for usage in usages)
    assert all(summary.startswith("+    ") and summary.endswith(".") for summary in summaries)
