"""What is kept beside a project's page, so that the next publish reads one release and not all of them.

It has no authority, as the page has none: everything in it is made again from signed files whenever they differ.
"""

import json
from dataclasses import dataclass
from typing import Any

from assess_registry.names import ProjectName, parse_project, parse_sha256
from assess_registry.status.harmless import encode_harmless
from assess_registry.status.places import DATA, project_place
from assess_registry.status.shelf import Row, damaged, parse_row, row_table
from assess_registry.status.values import LAYOUT, Standing, Summary


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """What was written of a project.

    Attributes:
        published: when its last release was.
        summaries: of its releases, newest first.
        rows: its row in each list that it stands in, by the list's place.
    """

    project: ProjectName
    published: str = ""
    summaries: tuple[Summary, ...] = ()
    rows: tuple[tuple[str, Row], ...] = ()

    def data(self) -> bytes:
        """The record as JSON; the same for the same record."""
        return encode_harmless(
            {
                "schema": LAYOUT,
                "project": self.project,
                "published": self.published,
                "releases": [_summary_table(each) for each in self.summaries],
                "lists": {shelf: row_table(row) for shelf, row in self.rows},
            }
        )


def parse_record(data: bytes, project: ProjectName) -> Record:
    """The record in these bytes; an empty one where an older layout wrote it.

    Raises:
        ConfigError: it is not what was written there.
    """
    try:
        document = json.loads(data)
        if document["schema"] != LAYOUT:
            return Record(project=project)
        return Record(
            project=project,
            published=str(document["published"]),
            summaries=tuple(_summary(each) for each in document["releases"]),
            rows=tuple((str(shelf), parse_row(row)) for shelf, row in sorted(document["lists"].items())),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise damaged(f"{project_place(project)}/{DATA}") from error


def _summary_table(summary: Summary) -> dict[str, Any]:
    return {
        "version": summary.version,
        "made_from": summary.made_from,
        "standing": summary.standing.value,
        "approved_by": list(summary.approved_by),
        "published": summary.published,
        "dependencies": list(summary.dependencies),
    }


def _summary(table: Any) -> Summary:
    return Summary(
        version=str(table["version"]),
        made_from=parse_sha256(table["made_from"]),
        standing=Standing(table["standing"]),
        approved_by=tuple(str(each) for each in table["approved_by"]),
        published=str(table["published"]),
        dependencies=tuple(parse_project(each) for each in table["dependencies"]),
    )
