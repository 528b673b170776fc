"""The keys in a snapshot, BACKUP or dump, read as any tool reads JSON.

The docstring of `trikv.machine.codec` says what a document looks like.
"""

import json
from base64 import b64decode
from typing import Any

from trikv.notation import counted
from trikv.sim.checkers.state import Contents
from trikv.sim.checkers.values import Collection, Fields, Plain, Scores, Value


def parse(data: bytes) -> tuple[int, Contents]:
    """Index and keys of a document. Raises ValueError, KeyError or TypeError if it is not whole."""
    document = json.loads(data)
    contents: Contents = {}
    parts: list[Any] = []
    lines = [line for line in document["keys"] if "split" not in line]
    for line in reversed(lines):  # so that the parts of a value come before it
        if "part" in line:
            parts.insert(0, line)
        else:
            contents[line["db"], _bytes(line["k"])] = (_value(line, parts), line.get("x", 0))
            parts = []
    keys = sum("part" not in line for line in lines)
    if not keys == len(contents) == document["count"]:
        raise ValueError(f"it has {counted(keys, 'key')} and says {document['count']}")
    if document["node"]["index"] != document["machine"]["index"]:
        raise ValueError(f"it is of {document['node']['index']} and of {document['machine']['index']}")
    return document["node"]["index"], contents


def _value(line: dict[str, Any], parts: list[dict[str, Any]]) -> Value:
    """The value of a key's line, behind which these lines of parts stand."""
    if len({part["part"] for part in parts}) != line.get("parts", 0):
        raise ValueError(f"{line['k']} has {line.get('parts', 0)} parts, and these are here: {parts}")
    if "v" in line:
        return _bytes(line["v"])
    elements = line["e"] if "e" in line else [each for part in parts for each in part["e"]]
    plain, count = _plain(line["t"], elements)
    if len(plain) != count:
        raise ValueError(f"an element of {line['k']} stands twice")
    return Collection.of(plain, is_large="parts" in line)


def _plain(kind: str, elements: list[Any]) -> tuple[Plain, int]:
    """The elements, and how many the document has."""
    match kind:
        case "list":
            return list(map(_bytes, elements)), len(elements)
        case "set":
            return set(map(_bytes, elements)), len(elements)
        case "hash":
            fields = Fields()
            for name, behind in zip(elements[::2], elements[1::2], strict=True):
                value, deadline = behind if isinstance(behind, list) else (behind, 0)
                fields.put(_bytes(name), _bytes(value), deadline)
            return fields, len(elements) // 2
        case "zset":
            scores = map(float, elements[1::2])  # infinity is text
            return Scores(zip(map(_bytes, elements[::2]), scores, strict=True)), len(elements) // 2
        case _:
            raise ValueError(f"there is no type {kind}")


def _bytes(text: Any) -> bytes:
    return text.encode() if isinstance(text, str) else b64decode(text["b64"])
