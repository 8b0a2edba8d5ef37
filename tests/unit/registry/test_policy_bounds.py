"""What a policy cannot say, because it would let through what nobody meant to let through."""

from datetime import date, timedelta

import pytest

from assess_registry.audit.pipeline import idle_rules
from assess_registry.audit.policy import judge, overlong_acceptances
from assess_registry.audit.values import Examination, Finding, Verdict
from assess_registry.config import Acceptance, Policy, parse_config, parse_policy_file
from assess_registry.errors import ConfigError

AS_OF = date(2026, 11, 21)
REGISTRY = '[registry]\nname = "local"\n'


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as refused:
        parse_config((REGISTRY + text).encode(), source="registry.toml")
    return refused.value.problems


def policy_of(text: str) -> Policy:
    return parse_config((REGISTRY + text).encode(), source="registry.toml").policy


# --- severities ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "missing"),
    [
        ('reject = ["undeclared-*"]', ("critical", "high")),
        ("reject = []", ("critical", "high")),
        ('reject = ["critical"]', ("high",)),
        ("flag = []", ("medium",)),
        ('reject = ["high"]\nflag = ["low"]', ("critical", "medium")),
        ("reject = []\nflag = []", ("critical", "high", "medium")),
    ],
)
def test_a_severity_that_matters_has_to_stand_somewhere(rules: str, missing: tuple[str, ...]) -> None:
    expected = [f"severity {each!r} stands neither in reject nor in flag" for each in missing]
    found = problems(f"[policy]\n{rules}")
    assert [each for each in expected if any(each in problem for problem in found)] == expected
    assert len(found) == len(missing)
    with pytest.raises(ConfigError, match="stands neither"):
        parse_policy_file(f"[policy]\n{rules}".encode(), source="x")


@pytest.mark.parametrize(
    "rules",
    [
        'reject = ["undeclared-*", "critical", "high"]',
        'reject = []\nflag = ["critical", "high", "medium"]',
        'reject = ["critical", "high", "medium"]\nflag = []',
        'reject = ["critical"]\nflag = ["high", "medium", "low", "info"]',
    ],
)
def test_it_may_stand_in_either_list_and_low_ones_in_none(rules: str) -> None:
    policy = policy_of(f"[policy]\n{rules}")
    assert {"critical", "high", "medium"} <= {*policy.reject, *policy.flag}


# --- patterns -----------------------------------------------------------------------------------------------------

TOO_WIDE = ("*", "*e*", "*-b603", "bandit*", "b*", "*bandit-b603", "ban*-b603", "bandit-*-x", "bandit-**")
NARROW = ("bandit-b603", "bandit-*", "bandit-b6*", "known-vulnerability", "undeclared-s*", "secret-aws-*")
ACCEPT = '[[policy.accept]]\nfinding = "{0}"\nreason = "r"\nowner = "o"\nexpires = 2027-01-01\n'
FLAG = '[policy]\nflag = ["medium", "{0}"]\n'


@pytest.mark.parametrize("text", [ACCEPT, FLAG], ids=["accept", "flag"])
@pytest.mark.parametrize("pattern", TOO_WIDE)
def test_what_makes_milder_names_findings_or_a_family_of_them(pattern: str, text: str) -> None:
    (problem,) = problems(text.format(pattern))
    assert "'bandit-b603' or 'bandit-*'" in problem


@pytest.mark.parametrize("text", [ACCEPT, FLAG], ids=["accept", "flag"])
@pytest.mark.parametrize("pattern", NARROW)
def test_a_family_begins_with_a_literal_and_a_dash(pattern: str, text: str) -> None:
    policy = policy_of(text.format(pattern))
    assert pattern in (*policy.flag, *(each.finding for each in policy.accept))


@pytest.mark.parametrize("pattern", TOO_WIDE[:6])
def test_what_makes_stricter_may_be_as_wide_as_it_likes(pattern: str) -> None:
    assert pattern in policy_of(f'[policy]\nreject = ["critical", "high", "{pattern}"]').reject


# --- how long somebody may take responsibility --------------------------------------------------------------------


def accepting(expires: date, **change: str) -> Acceptance:
    what = change or {"finding": "bandit-b603"}
    return Acceptance(reason="reviewed", owner="ops@example.org", expires=expires, **what)


def verdict_and_reason(acceptance: Acceptance) -> tuple[Verdict, str]:
    found = Finding(id="bandit-b603", severity="high", entry="a.py", message="runs a program.", rule="bandit")
    examinations = [Examination(check="bandit", findings=() if acceptance.check else (found,), incomplete=("x",))]
    given = examinations if acceptance.check else [Examination(check="bandit", findings=(found,))]
    (one,) = judge(given, policy=Policy(accept=(acceptance,)), project="demo", as_of=AS_OF).judged
    return one.verdict, one.reason


@pytest.mark.parametrize("change", [{}, {"check": "bandit"}], ids=["finding", "check"])
def test_an_acceptance_for_more_than_a_year_accepts_nothing_and_is_reported(change: dict[str, str]) -> None:
    last = AS_OF + timedelta(days=366)
    assert verdict_and_reason(accepting(last, **change))[0] is Verdict.APPROVED
    for late in (last + timedelta(days=1), date.max):
        verdict, reason = verdict_and_reason(accepting(late, **change))
        assert verdict is not Verdict.APPROVED
        assert f"an acceptance until {late} by ops@example.org does not count" in reason
        assert reason.endswith("as of 2026-11-21 it may last until 2027-11-22 at most")


def test_one_that_is_too_long_does_not_outdo_one_that_holds() -> None:
    good, long = accepting(AS_OF), accepting(date.max)
    found = Finding(id="bandit-b603", severity="high", entry="a.py", message="runs a program.", rule="bandit")
    for order in ((good, long), (long, good)):
        given = [Examination(check="bandit", findings=(found,))]
        (one,) = judge(given, policy=Policy(accept=order), project="demo", as_of=AS_OF).judged
        assert one.verdict is Verdict.APPROVED


def test_those_that_are_too_long_are_found_before_anything_is_audited() -> None:
    policy = Policy(accept=(accepting(AS_OF), accepting(date(9999, 1, 1), check="bandit")))
    (problem,) = overlong_acceptances(policy, as_of=AS_OF)
    assert problem == (
        "policy.accept[1].expires: 9999-01-01 is too far: as of 2026-11-21 it may last until 2027-11-22 at most"
    )
    assert overlong_acceptances(policy, as_of=date(9998, 6, 1)) == ()
    assert overlong_acceptances(policy, as_of=date.max) == ()


@pytest.mark.parametrize(
    ("finding", "check", "said"),
    [
        (
            "process-outside-hosts",
            "",
            "finding: no finding 'process-outside-hosts'; did you mean 'process-outside-host'?",
        ),
        ("process-outside-host", "", ""),
        ("proces-*", "", "finding: no finding has an id like 'proces-*'; docs/audit.md lists them"),
        ("process-*", "", ""),
        (
            "dependency-native-kode",
            "",
            "finding: no finding 'dependency-native-kode'; did you mean 'dependency-native-code'?",
        ),
        ("dependency-native-code", "", ""),
        ("dependency-licence-missing", "", ""),
        ("dependency-*", "", ""),
        ("dependency-bandit-b9*", "", ""),
        ("bandit-b603", "", ""),
        ("bandit-*", "", ""),
        ("secret-of-next-year", "", ""),
        ("", "bandti", "check: no check 'bandti'; did you mean 'bandit'?"),
        ("", "bandit", ""),
        ("", "dependencies", ""),
        ("", "structure", "check: no check 'structure'; expected one of "),
    ],
)
def test_an_acceptance_that_can_never_accept_anything_is_named(finding: str, check: str, said: str) -> None:
    accept = (Acceptance(finding=finding, check=check, reason="r", owner="o", expires=AS_OF),)
    problems = idle_rules(Policy(accept=accept))
    assert len(problems) == bool(said)
    assert "".join(problems).startswith(f"policy.accept[0].{said}" if said else "")


@pytest.mark.parametrize("key", ["reject", "flag"])
@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("undeclared-sokcet", "no finding 'undeclared-sokcet'; did you mean 'undeclared-socket'?"),
        ("undeclared-socket", ""),
        ("undeklared-*", "no finding has an id like 'undeklared-*'; docs/audit.md lists them"),
        ("undeclared-*", ""),
        ("dependency-proces-outside-host", "no finding 'dependency-proces-outside-host'; did you mean "),
        ("dependency-process-*", ""),
        ("check-incomplete", ""),
        ("bandit-b999", ""),
        ("critical", ""),
    ],
)
def test_a_rule_for_findings_that_never_come_is_named_with_the_nearest_one(key: str, rule: str, said: str) -> None:
    policy = Policy(reject=(rule,)) if key == "reject" else Policy(flag=(rule,))
    problems = idle_rules(policy)
    assert len(problems) == bool(said)
    assert "".join(problems).startswith(f"policy.{key}[0]: {said}" if said else "")
