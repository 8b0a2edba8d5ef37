"""OSV documents, as many as an export of all of PyPI has at least."""

from typing import Any

from assess_registry.audit.advisories import MIN_ADVISORIES


def about_others(count: int = MIN_ADVISORIES, *, modified: str = "2026-11-20T00:00:00Z") -> list[dict[str, Any]]:
    """Documents about projects that no test has."""
    ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]
    return [
        {
            "id": f"TEST-OTHER-{number}",
            "modified": modified,
            "affected": [{"package": {"ecosystem": "PyPI", "name": f"other-project-{number}"}, "ranges": ranges}],
        }
        for number in range(count)
    ]
