"""How bad a vulnerability is, in the five words of the manifest.

The worst that any part of a document says counts: a CVSS 3 vector (FIRST, CVSS 3.1 specification, section 7.1 and the
scale of section 5), or the word of the database that published it. CVSS 4 is not computed, for its scores are looked
up in a table of 270 cells, nor is CVSS 2.

Where nothing is said, or something is said that cannot be read, it is at least `high`: neither is a reason to let
something pass, and a word beside a vector that nobody read may say less than the vector. An id `MAL-…` (OpenSSF,
malicious packages) is `critical` by itself.
"""

from collections.abc import Iterable

from assess_registry.manifest import SEVERITIES, Severity

UNKNOWN: Severity = "high"
_SAYS_NOTHING = ("", "UNKNOWN")

_WORDS: dict[str, Severity] = {
    "NONE": "info",
    "LOW": "low",
    "MODERATE": "medium",
    "MEDIUM": "medium",
    "HIGH": "high",
    "IMPORTANT": "high",
    "CRITICAL": "critical",
}

_METRICS = {
    "AV": {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2},
    "AC": {"L": 0.77, "H": 0.44},
    "UI": {"N": 0.85, "R": 0.62},
    "C": {"H": 0.56, "L": 0.22, "N": 0.0},
    "I": {"H": 0.56, "L": 0.22, "N": 0.0},
    "A": {"H": 0.56, "L": 0.22, "N": 0.0},
}
_PRIVILEGES = {"U": {"N": 0.85, "L": 0.62, "H": 0.27}, "C": {"N": 0.85, "L": 0.68, "H": 0.5}}
_SCALE: tuple[tuple[float, Severity], ...] = ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (0.1, "low"))


def severity_of(advisory_id: str, *, vectors: Iterable[str], words: Iterable[str]) -> Severity:
    """The worst of what is said; what cannot be read, or nothing at all, is `UNKNOWN`."""
    spoken = [word.strip().upper() for word in words]
    said: list[Severity] = [_WORDS.get(word, UNKNOWN) for word in spoken if word not in _SAYS_NOTHING]
    scores = [base_score(vector) for vector in vectors]
    said += [UNKNOWN if score is None else _word(score) for score in scores]
    said += ["critical"] if advisory_id.startswith("MAL-") else []
    return max(said, key=SEVERITIES.index, default=UNKNOWN)


def base_score(vector: str) -> float | None:
    """The base score of a CVSS 3.0 or 3.1 vector; None when it is something else or not complete."""
    head, *pairs = vector.split("/")
    if head not in ("CVSS:3.0", "CVSS:3.1"):
        return None
    given = dict(pair.split(":", 1) for pair in pairs if ":" in pair)
    try:
        changed = {"U": False, "C": True}[given["S"]]
        values = {metric: scale[given[metric]] for metric, scale in _METRICS.items()}
        privileges = _PRIVILEGES[given["S"]][given["PR"]]
    except KeyError:
        return None
    lost = 1 - (1 - values["C"]) * (1 - values["I"]) * (1 - values["A"])
    impact = 7.52 * (lost - 0.029) - 3.25 * (lost - 0.02) ** 15 if changed else 6.42 * lost
    if impact <= 0:
        return 0.0
    exploitability = 8.22 * values["AV"] * values["AC"] * privileges * values["UI"]
    return _round_up(min((impact + exploitability) * (1.08 if changed else 1), 10))


def _round_up(score: float) -> float:
    # Appendix A of the specification: in integers, so that 4.0000001 does not become 4.1.
    hundred_thousandths = round(score * 100_000)
    if hundred_thousandths % 10_000 == 0:
        return hundred_thousandths / 100_000
    return (hundred_thousandths // 10_000 + 1) / 10


def _word(score: float) -> Severity:
    return next((word for least, word in _SCALE if score >= least), "info")
