"""One line of a benchmark's table, its goal, and how both are written."""

from dataclasses import dataclass, field

from bench.stats import Sample, Unit


@dataclass(frozen=True, kw_only=True, slots=True)
class Goal:
    """What the median must not be beyond. `text` is how the goal is said where a bare number would be obscure."""

    limit: float
    unit: Unit
    at_least: bool = False
    text: str = ""

    def met(self, measured: Sample) -> bool:
        """Whether the median keeps to the limit.

        Raises:
            ValueError: the units differ.
        """
        if measured.unit != self.unit:
            raise ValueError(f"the goal is in {self.unit}, the sample in {measured.unit}")
        return measured.median >= self.limit if self.at_least else measured.median <= self.limit

    def __str__(self) -> str:
        return self.text or f"{'>=' if self.at_least else '<='} {figure(self.limit, self.unit)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What was measured of assess, beside what, and against which goal; all but `ours` may be absent.

    `measured` is what the goal is about, mostly the ratio; a row without a goal is there to explain another.
    """

    what: str
    ours: Sample
    peer: str = ""
    theirs: Sample | None = None
    measured: Sample | None = None
    goal: Goal | None = None

    @property
    def verdict(self) -> str:
        """`met`, `missed`, or nothing where there is no goal."""
        if self.goal is None:
            return ""
        return "met" if self.goal.met(self.measured or self.ours) else "**missed**"


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """One benchmark, done. `notes` are sentences about how it was measured, `versions` those of the peers."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    versions: tuple[str, ...] = field(default=())


def paragraphs(text: str, **values: object) -> tuple[str, ...]:
    """The paragraphs of a note, one line each, with `{values}` filled in."""
    return tuple(" ".join(part.split()).format(**values) for part in text.strip().split("\n\n"))


HEADINGS = ("what", "assess", "beside", "goal", "measured", "")


def table(rows: tuple[Row, ...]) -> str:
    """The rows as a Markdown table, columns aligned so that it can be read as text."""
    lines = [HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    rule = tuple("-" * max(width, 3) for width in widths)
    return "".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + " |\n"
        for line in [lines[0], rule, *lines[1:]]
    )


def figure(value: float, unit: Unit) -> str:
    """Three significant digits and the unit."""
    if abs(value) >= 100:
        number = f"{value:,.0f}"
    else:
        number = f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"
        number = number.rstrip("0").rstrip(".") if "." in number else number
    return f"{number}{unit}" if unit in ("x", "/s") else f"{number} {unit}"


def _cells(row: Row) -> tuple[str, ...]:
    theirs = f"{row.peer}: {_spread(row.theirs)}" if row.theirs else row.peer
    measured = _spread(row.measured) if row.measured else ""
    return row.what, _spread(row.ours), theirs, str(row.goal or ""), measured, row.verdict


def _spread(sample: Sample) -> str:
    if len(sample.values) == 1:
        return figure(sample.median, sample.unit)
    low, high = (figure(value, sample.unit).removesuffix(sample.unit).rstrip() for value in sample.spread)
    return f"{figure(sample.median, sample.unit)} ({low} to {high})"
