"""What does not belong on a host: programs that run as somebody else, files that everybody may change, files of nobody.

The four checks share one search, made by the first of them. Its output is evidence of each, since only the first is on
record as having asked for it. Directories that the asking user may not search are a doubt: what was found still fails,
but nothing passes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from assess_host_baseline.facts import first_line, nul_ended
from assess_host_baseline.formats.search import Found, parse_found, search_command
from assess_host_baseline.verdicts import cannot_tell, listed, verdict
from assess_plugin import ActionInput, CheckResult, Checks, Denied, Evidence, HostError

SEARCH_TIMEOUT_S = 20.0
MAX_EVIDENCE_BYTES = 256 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What one search found, why it may not be all, and the evidence of it."""

    found: tuple[Found, ...]
    doubt: str
    depth: int
    evidence: tuple[Evidence, ...] = ()


class Search:
    """The search of one call: made when it is first asked for, answered from memory after that."""

    def __init__(self) -> None:
        self._seen: Seen | None = None

    def seen(self, input: ActionInput) -> Seen:
        """What the search found.

        Raises:
            Denied: the manifest does not permit it.
            Malformed: it printed something else than what was asked for.
        """
        if self._seen is None:
            self._seen = _search(input)
        return self._seen


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One check of what the search found; `allowed` names the setting that lists paths which are in order."""

    check_id: str
    what: str
    concerns: Callable[[Found], bool]
    allowed: str


RULES = (
    Rule(
        check_id="surprise-set-id-programs",
        what="programs that run as another user or group",
        concerns=lambda found: found.runs_as_another,
        allowed="allowed_set_id_programs",
    ),
    Rule(
        check_id="surprise-world-writable-files",
        what="files that everybody may change",
        concerns=lambda found: found.is_open_file,
        allowed="allowed_world_writable",
    ),
    Rule(
        check_id="surprise-world-writable-directories",
        what="directories in which everybody may replace everybody's files",
        concerns=lambda found: found.is_open_directory,
        allowed="allowed_world_writable",
    ),
    Rule(
        check_id="surprise-unowned",
        what="files whose user or group does not exist",
        concerns=lambda found: found.is_unowned,
        allowed="allowed_unowned",
    ),
)


def checks_of_one_search() -> Checks:
    """The checks of this family, with a search of their own: one call sees one state of the host."""
    checks, search = Checks(), Search()
    for rule in RULES:
        checks.check(rule.check_id)(partial(assess, rule, search))
    return checks


def assess(rule: Rule, search: Search, input: ActionInput) -> CheckResult:
    """Assess what the search found by one rule."""
    seen, allowed = search.seen(input), frozenset(input.settings[rule.allowed])
    surprising = [str(found) for found in seen.found if rule.concerns(found) and found.path not in allowed]
    if seen.doubt and not surprising:
        return cannot_tell(rule.check_id, f"{rule.what}: none was found, but {seen.doubt}")
    reason = f"{rule.what}: {listed(surprising) if surprising else 'none'} ({seen.depth} levels deep)"
    return verdict(
        rule.check_id,
        ok=not surprising,
        reason=f"{reason}; {seen.doubt}" if seen.doubt else reason,
        expected=f"none but those of setting `{rule.allowed}`",
        actual=listed(surprising) if surprising else "none",
        evidence=seen.evidence,
    )


def _search(input: ActionInput) -> Seen:
    depth = int(input.settings["search_depth"])
    try:
        result = input.host.run(search_command(depth), timeout_s=SEARCH_TIMEOUT_S)
    except Denied:
        raise
    except HostError as error:  # too slow, or no `find`: the same for all four
        return Seen(found=(), doubt=f"the search was not made: {error}", depth=depth)
    printed = result.stdout
    doubt = ""
    if result.truncated:
        printed = printed[: printed.rfind(b"\0") + 1]
        doubt = "there is more than the host hands on"
    elif result.exit_code != 0:
        doubt = f"not everything could be searched: {first_line(result.stderr)}"
    names = nul_ended(printed.decode("utf-8", "backslashreplace"))
    evidence = input.host.evidence("search", printed[:MAX_EVIDENCE_BYTES].replace(b"\0", b"\n"))
    return Seen(found=tuple(map(parse_found, names)), doubt=doubt, depth=depth, evidence=(evidence,))
