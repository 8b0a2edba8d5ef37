"""What the first page is made from: what was published last, and by which rules all pages were made."""

import json
from dataclasses import dataclass, replace

from assess_registry.status.harmless import encode_harmless
from assess_registry.status.places import DATA
from assess_registry.status.shelf import Row, damaged, parse_row, row_table

SCHEMA = 1
MAX_RECENT = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Front:
    """The state of the first page.

    Attributes:
        house: digest of what all pages depend on, when all were made anew the last time; empty when they never were.
        recent: time of publishing and row, the last first.
    """

    house: str = ""
    recent: tuple[tuple[str, Row], ...] = ()

    def with_row(self, published: str, row: Row) -> "Front":
        """With this project's row in place of the one it had."""
        others = tuple(each for each in self.recent if each[1].key != row.key)
        ordered = sorted((*others, (published, row)), key=lambda each: (each[0], each[1].key), reverse=True)
        return replace(self, recent=tuple(ordered[:MAX_RECENT]))

    def without_row(self, key: str) -> "Front":
        """Without the row of this project."""
        return replace(self, recent=tuple(each for each in self.recent if each[1].key != key))

    def data(self) -> bytes:
        """The state as JSON; the same for the same state."""
        recent = [{"published": published, "row": row_table(row)} for published, row in self.recent]
        return encode_harmless({"schema": SCHEMA, "house": self.house, "recent": recent})


def parse_front(data: bytes) -> Front:
    """The state in these bytes.

    Raises:
        ConfigError: it is not what was written there.
    """
    try:
        document = json.loads(data)
        if document["schema"] != SCHEMA:
            return Front()
        recent = tuple((str(each["published"]), parse_row(each["row"])) for each in document["recent"])
        return Front(house=str(document["house"]), recent=recent)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise damaged(DATA) from error
