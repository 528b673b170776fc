"""trikv.machine.commands: one module for each family of commands, and `TABLE`, which holds them all.

A family is a module with a `CommandTable` of its own, called COMMANDS. Its handlers are plain functions
``handler(db, *arguments) -> Reply``: they check, refuse by *returning* a `CommandError`, and only then
change the database, through the few methods of `Database` for that (PROTOCOL 24). A handler that needs more
than the selected database names its first parameter ``call`` and gets the `Call`.

To add a family: write the module, name it here. Arity, key positions, help and COMMAND follow from the
signatures (see `trikv.machine.table`).
"""

from trikv.machine.commands import (
    bits,
    counters,
    databases,
    debugging,
    expiry,
    geo,
    geo_search,
    hash_fields,
    hashes,
    hyperloglogs,
    keys,
    lcs,
    list_places,
    lists,
    sets,
    sorted_algebra,
    sorted_ranges,
    sorted_sets,
    sorting,
    strings,
)
from trikv.machine.declaration import Container
from trikv.machine.table import CommandTable

TABLE = CommandTable()
"""Every command that the machine evaluates."""

for _family in (
    databases,
    keys,
    expiry,
    geo,
    geo_search,
    strings,
    lcs,
    bits,
    counters,
    hashes,
    hyperloglogs,
    hash_fields,
    lists,
    list_places,
    sets,
    sorted_sets,
    sorting,
    sorted_ranges,
    sorted_algebra,
    debugging,
):
    TABLE = TABLE.merged_with(_family.COMMANDS)

TABLE.add_container(Container("MEMORY", "Tells of memory: subcommands.", "server", "4.0.0"))
