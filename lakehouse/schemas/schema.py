"""What a schema registry has under an id, or as a version of a subject. It never changes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

AVRO, JSON = "AVRO", "JSON"
MOST_LEVELS = 100  # of objects and lists in each other: more than the parse takes, and fewer than Python and orjson can walk through


@dataclass(frozen=True, kw_only=True)
class Schema:
    """type: AVRO, JSON or what else it keeps. text: as it was registered.

    references: name, as the text calls it -> text of every schema that it needs, each behind those that it needs itself.
    """

    type: str
    text: str
    references: Mapping[str, str] = field(default_factory=dict)

    def written(self) -> bytes:
        """As one JSON object."""
        return json.dumps({"type": self.type, "text": self.text, "references": list(self.references.items())}).encode()

    @classmethod
    def read(cls, written: bytes) -> Self:
        """What `written` gave. Raises ValueError, KeyError or TypeError: it is something else."""
        said: dict[str, Any] = json.loads(written)
        return cls(type=said["type"], text=said["text"], references=dict(said["references"]))
