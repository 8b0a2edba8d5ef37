"""Where each kind of subject is defined in an OSCAL document, so that every reference to one leads somewhere."""

from collections.abc import Iterable
from typing import Any

from assess_core.formats.oscal.words import markup, prop_list
from assess_core.results import identify
from assess_plugin.models import Subject


class Subjects:
    """The subjects of one document, each once; what two results say of one subject, the first has said."""

    def __init__(self, subjects: Iterable[Subject]) -> None:
        self._subjects: dict[str, Subject] = {}
        for subject in subjects:
            self._subjects.setdefault(_uuid(subject), subject)

    def reference(self, subject: Subject) -> dict[str, Any]:
        """A subject-reference."""
        return {"subject-uuid": _uuid(subject), "type": subject.type, "title": _title(subject)}

    def definitions(self) -> dict[str, Any]:
        """What belongs into a result's local-definitions: components, inventory items, users."""
        components = [
            {
                "type": "software",
                "status": {"state": "operational"},
                **self._described(uuid, subject),
                "title": _title(subject),
            }
            for uuid, subject in self._of("component")
        ]
        items = [self._described(uuid, subject) for uuid, subject in self._of("inventory-item")]
        users = [self._named(uuid, subject, "title") for uuid, subject in self._of("user")]
        found = {"components": components, "inventory-items": items, "users": users}
        return {key: value for key, value in found.items() if value}

    def metadata(self) -> dict[str, Any]:
        """What belongs into the metadata: locations and parties."""
        locations = [self._named(uuid, subject, "title") for uuid, subject in self._of("location")]
        parties = [
            {"type": "organization", **self._named(uuid, subject, "name")} for uuid, subject in self._of("party")
        ]
        return {key: value for key, value in {"locations": locations, "parties": parties}.items() if value}

    def resources(self) -> list[dict[str, Any]]:
        """What belongs into the back matter."""
        return [self._named(uuid, subject, "title") for uuid, subject in self._of("resource")]

    def _of(self, kind: str) -> list[tuple[str, Subject]]:
        return [(uuid, subject) for uuid, subject in self._subjects.items() if subject.type == kind]

    def _described(self, uuid: str, subject: Subject) -> dict[str, Any]:
        return self._named(uuid, subject, "description")

    def _named(self, uuid: str, subject: Subject, key: str) -> dict[str, Any]:
        labels = [prop for name, label in subject.labels.items() for prop in prop_list("label", f"{name}={label}")]
        return {"uuid": uuid, key: _title(subject), "props": [*prop_list("subject", subject.id), *labels]}


def _title(subject: Subject) -> str:
    return markup(subject.title) or markup(subject.id)


def _uuid(subject: Subject) -> str:
    return identify("oscal-subject", subject.type, subject.id)
