import re
import tomllib
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from assess_registry.audit.policy import MAX_REASONS, STRUCTURE, Judgement, judge, policy_sha256
from assess_registry.audit.values import Examination, Finding, Verdict
from assess_registry.config import (
    POLICY_DEFAULT,
    Acceptance,
    IndexConfig,
    Policy,
    PolicyFile,
    Publisher,
    Targets,
    parse_config,
    parse_policy_file,
)
from assess_registry.config.keys import KEY_KEYS
from assess_registry.config.people import AUDIT_KEYS, PUBLISHER_KEYS, REVIEWER_KEYS
from assess_registry.config.policy import ACCEPT_KEYS, POLICY_KEYS
from assess_registry.config.registry import EXPIRY_KEYS, REGISTRY_KEYS, TARGETS_KEYS
from assess_registry.config.values import policy_table
from assess_registry.errors import ConfigError
from assess_registry.keys import TimedKey, generate_key
from assess_registry.manifest import SEVERITIES, Severity

TODAY = date(2026, 11, 21)
REGISTRY = '[registry]\nname = "local"\n'
KEY = TimedKey(key=generate_key().public, valid_from=datetime(2026, 1, 1, tzinfo=UTC))
APPROVED, FLAGGED, REJECTED = Verdict


def finding(id: str = "bandit-b603", severity: Severity = "high", entry: str = "demo/run.py") -> Finding:
    return Finding(id=id, severity=severity, entry=entry, line=7, message="runs a program.", rule="bandit")


def accepting(**change: object) -> Acceptance:
    given = {"finding": "bandit-b603", "reason": "reviewed", "owner": "ops@example.org", "expires": TODAY, **change}
    return Acceptance(**given)  # type: ignore[arg-type]


def judged(*findings: Finding, policy: Policy | None = None, project: str = "demo-plugin") -> Judgement:
    examinations = [Examination(check="bandit", findings=findings)]
    return judge(examinations, policy=policy or Policy(), project=project, as_of=TODAY)


def incomplete(policy: Policy, *sentences: str) -> Judgement:
    examinations = [Examination(check="bandit", incomplete=sentences or ("bandit: timed out",))]
    return judge(examinations, policy=policy, project="demo-plugin", as_of=TODAY)


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as refused:
        parse_config((REGISTRY + text).encode(), source="registry.toml")
    return refused.value.problems


def policy_of(text: str) -> Policy:
    return parse_config((REGISTRY + text).encode(), source="registry.toml").policy


# --- rules --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("severity", "verdict"),
    [("info", APPROVED), ("low", APPROVED), ("medium", FLAGGED), ("high", REJECTED), ("critical", REJECTED)],
)
def test_without_a_policy_severities_decide_safely(severity: Severity, verdict: Verdict) -> None:
    assert judged(finding(severity=severity)).verdict is verdict


def test_nothing_found_is_approved_without_a_reason() -> None:
    assert judged() == Judgement(verdict=APPROVED, reasons=(), judged=())


@pytest.mark.parametrize(
    ("reject", "flag", "verdict"),
    [
        (("bandit-b603",), (), REJECTED),
        (("bandit-*",), (), REJECTED),
        (("bandit-b604",), (), FLAGGED),
        ((), ("bandit-b603",), FLAGGED),
        (("bandit-*",), ("bandit-b603",), REJECTED),
    ],
)
def test_rules_by_id_outrank_severity_and_the_strictest_holds(
    reject: tuple[str, ...], flag: tuple[str, ...], verdict: Verdict
) -> None:
    policy = Policy(reject=("critical", "high", *reject), flag=("medium", *flag))
    assert judged(finding(severity="medium"), policy=policy).verdict is verdict


def test_a_rule_by_id_may_lower_a_severity_to_a_flag_but_never_to_nothing() -> None:
    policy = Policy(flag=("medium", "bandit-b603"))
    assert judged(finding(severity="high"), policy=policy).verdict is FLAGGED
    assert judged(finding("bandit-b604", severity="high"), policy=policy).verdict is REJECTED


def test_the_strictest_finding_decides_about_the_wheel() -> None:
    one = judged(finding(severity="low"), finding("secret", "medium"), finding("known-vulnerability", "high"))
    assert one.verdict is REJECTED
    assert [each.verdict for each in one.judged] == [APPROVED, FLAGGED, REJECTED]


# --- what no rule switches off ------------------------------------------------------------------------------------


NOTHING = Policy(reject=(), flag=(), accept=(accepting(finding="b*"), accepting(finding="*-*")))


def test_a_check_that_did_not_look_flags_whatever_the_policy() -> None:
    assert incomplete(NOTHING).verdict is FLAGGED
    assert judged(finding(severity="critical"), policy=NOTHING).verdict is APPROVED  # the control


def test_only_an_acceptance_of_that_check_accepts_that_it_did_not_look() -> None:
    def policy(check: str, **change: object) -> Policy:
        return Policy(accept=(accepting(finding="", check=check, **change),))

    accepted = incomplete(policy("bandit"))
    assert accepted.verdict is APPROVED
    assert accepted.judged[0].reason == "accepted until 2026-11-21 by ops@example.org: reviewed"
    assert incomplete(policy("secrets")).verdict is FLAGGED
    assert incomplete(policy("bandit", project="other-*")).verdict is FLAGGED
    assert incomplete(policy("bandit", entry="demo/*")).verdict is FLAGGED
    assert judged(finding(), policy=policy("bandit")).verdict is REJECTED, "its findings are another matter"


def test_a_policy_may_be_stricter_about_it() -> None:
    assert incomplete(Policy(reject=("check-incomplete",))).verdict is REJECTED


def test_what_strict_inspection_refuses_is_rejected_whatever_the_policy() -> None:
    refused = Examination(check=STRUCTURE, findings=(finding("record-hash", "info"),))
    policy = Policy(reject=(), flag=(), accept=(accepting(finding="record-hash"),))
    assert judge([refused], policy=policy, project="demo-plugin", as_of=TODAY).verdict is REJECTED
    elsewhere = replace(refused, check="manifest")
    assert judge([elsewhere], policy=policy, project="demo-plugin", as_of=TODAY).verdict is APPROVED


# --- acceptances --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, APPROVED),
        ({"finding": "bandit-*"}, APPROVED),
        ({"finding": "bandit-b60"}, REJECTED),
        ({"project": "demo-*"}, APPROVED),
        ({"project": "demo"}, REJECTED),
        ({"entry": "demo/*.py"}, APPROVED),
        ({"entry": "run.py"}, REJECTED),
        ({"expires": date(2026, 11, 22)}, APPROVED),
        ({"expires": date(2026, 11, 20)}, REJECTED),
    ],
)
def test_an_acceptance_covers_what_it_names_until_its_last_day(change: dict[str, object], verdict: Verdict) -> None:
    assert judged(finding(), policy=Policy(accept=(accepting(**change),))).verdict is verdict


def test_an_expired_acceptance_is_reported_with_whose_it_was() -> None:
    policy = Policy(accept=(accepting(expires=date(2026, 11, 20)),))
    (reason,) = judged(finding(), policy=policy).reasons
    assert reason.endswith(
        "the policy rejects severity 'high'; it was accepted, but only until 2026-11-20, by ops@example.org: reviewed."
    )


def test_of_two_acceptances_the_one_that_still_holds_counts() -> None:
    old, new = accepting(expires=date(2026, 1, 1)), accepting(expires=date(2027, 1, 1), owner="new@example.org")
    for order in ((old, new), (new, old)):
        (one,) = judged(finding(), policy=Policy(accept=order)).judged
        assert (one.verdict, "new@example.org" in one.reason) == (APPROVED, True)


# --- reasons ------------------------------------------------------------------------------------------------------


def test_reasons_are_sentences_strictest_first_one_for_each_kind() -> None:
    said = judged(
        finding("undeclared-socket", "medium", "demo/net.py"),
        finding(),
        finding(entry="demo/b.py"),
        finding("licence", "low"),
    ).reasons
    assert said == (
        "Rejected: bandit-b603: demo/run.py:7: runs a program (and 1 more); the policy rejects severity 'high'.",
        "Flagged: undeclared-socket: demo/net.py:7: runs a program; the policy flags severity 'medium'.",
    )


def test_checks_that_failed_for_one_reason_share_a_sentence() -> None:
    examinations = [Examination(check=name, incomplete=("not run",)) for name in ("bandit", "secrets")]
    reasons = judge(examinations, policy=Policy(), project="demo-plugin", as_of=TODAY).reasons
    said = "Flagged: bandit, secrets did not look at everything: not run; "
    assert reasons == (said + "a check that did not look at everything approves nothing.",)


def test_no_more_reasons_than_are_read_in_a_minute() -> None:
    reasons = judged(*(finding(f"kind-{number:03}") for number in range(50))).reasons
    assert len(reasons) == MAX_REASONS + 1
    assert reasons[-1] == f"{50 - MAX_REASONS} more kinds of findings, in full below."


def test_a_wheel_cannot_fill_the_page_with_its_names() -> None:
    (reason,) = judged(replace(finding(entry="x" * 5000), message="y" * 5000)).reasons
    assert len(reason) < 600
    assert "…:7: " in reason


# --- the file -----------------------------------------------------------------------------------------------------


def test_the_written_default_is_the_default() -> None:
    assert policy_of(POLICY_DEFAULT) == Policy() == policy_of("")
    assert set(tomllib.loads(POLICY_DEFAULT)["policy"]) == set(POLICY_KEYS)
    assert set(POLICY_KEYS) == {each.name for each in fields(Policy)} == set(policy_table(Policy()))


def test_what_is_written_is_read_back() -> None:
    config = IndexConfig(
        name="acme",
        publishers=(Publisher(name="acme", keys=(KEY,), projects=("acme-*", "demo")),),
        policy=Policy(
            reject=("critical", "high", "bandit-*"),
            accept=(accepting(), accepting(finding="", check="bandit", entry="x", project="y")),
            licences=("*",),
            native_publishers=("acme",),
            reserved_prefixes=("acme-",),
        ),
    )
    assert parse_config(config.text().encode(), source="x") == config


def test_every_problem_of_publishers_and_policy_is_reported_at_once() -> None:
    found = problems(
        """
        [publishers.acme]
        keys = [{ public = "abc", from = 2026-11-21T05:10:00Z }]
        projects = ["Acme_*"]
        project = 1
        [publishers.other]
        [policy]
        rejects = ["high"]
        reject = ["critical", "hihg"]
        licences = ["Apache 2"]
        native_publishers = ["acne"]
        advisories_max_age_days = 0
        [[policy.accept]]
        finding = "bandit-*"
        reason = ""
        expires = "2027-01-01"
        """
    )
    paths = [problem.split(": ")[1] for problem in found]
    assert paths == [
        "publishers.acme.project",
        "publishers.acme.projects[0]",
        "publishers.acme.keys[0].public",
        "publishers.other.projects",
        "policy.rejects",
        "policy.reject[1]",
        "policy.accept[0].expires",
        "policy.accept[0].reason",
        "policy.accept[0].owner",
        "policy.licences[0]",
        "policy.advisories_max_age_days",
        "policy.licences",
        "policy.native_publishers",
    ]
    assert "did you mean 'reject'?" in found[4]
    assert "did you mean 'high'?" in found[5]
    assert "did you mean 'acme'?" in found[-1]


ACCEPT = '[[policy.accept]]\nfinding = "bandit-b603"\nreason = "r"\nowner = "o"\nexpires = 2027-01-01\n'


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("expires = 2027-01-01\n", "", "expected the last day it holds, as in 2027-03-31, got nothing"),
        ("2027-01-01", "2027-01-01T00:00:00Z", "expected the last day it holds"),
        ('finding = "bandit-b603"\n', "", "expected exactly one of finding and check"),
        ("finding", 'check = "bandit"\nfinding', "expected exactly one of finding and check"),
        ('"bandit-b603"', '"*"', "names findings by id"),
        ('"bandit-b603"', '"*-*"', "names findings by id"),
        ('"bandit-b603"', '"high"', "names findings by id"),
        ('"bandit-b603"', '"check-incomplete"', "check = NAME"),
        ('"bandit-b603"', '"Bandit B603"', "names findings by id"),
        ('owner = "o"', 'owner = " "', "expected 1 to 500 characters"),
        ('owner = "o"', 'owmer = "o"', "did you mean 'owner'?"),
        ('reason = "r"', 'reason = "a\\u202Eb"', "printable"),
    ],
)
def test_an_acceptance_says_who_why_until_when_and_what(old: str, new: str, says: str) -> None:
    assert policy_of(ACCEPT).accept == (accepting(reason="r", owner="o", expires=date(2027, 1, 1)),)
    assert any(says in problem for problem in problems(ACCEPT.replace(old, new)))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[policy]\nflag = ["high"]', "'high' stands in reject too, written there or by default"),
        ("[policy]\nlicences = []", 'write ["*"] for any'),
        ('[policy]\nnative_publishers = ["acme"]', "none are configured: add [publishers.NAME]"),
        ('[policy]\nreserved = ["Assess_Core"]', "not a normalised project name"),
        ('[policy]\nmax_wheel_mib = "20"', "expected a number, got '20'"),
        ("[policy]\nmax_wheel_mib = 0", "expected 0.001 to 256, got 0"),
        ('[publishers.acme]\nprojects = ["a-[b]"]', "which may hold *"),
        ("[publishers]\nacme = 1", "publishers.acme: expected a table, got 1"),
        ('[publishers."A B"]\nprojects = ["a"]', "lower-case letters"),
        ('[polcy]\nreject = ["high"]', "did you mean 'policy'?"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(text: str, says: str) -> None:
    assert any(says in problem for problem in problems(text))


def test_a_policy_that_is_no_table_is_refused() -> None:
    with pytest.raises(ConfigError, match="policy: expected a table, got 1"):
        parse_config(b"policy = 1\n" + REGISTRY.encode(), source="registry.toml")


@pytest.mark.parametrize("severity", SEVERITIES)
def test_a_severity_with_letters_swapped_is_no_finding_id(severity: str) -> None:
    typo = severity[:-2] + severity[-1] + severity[-2]
    assert any(f"did you mean {severity!r}?" in each for each in problems(f'[policy]\nreject = ["{typo}"]'))
    named = ("critical", "high", "unknown-publisher", "wasm-import")
    assert policy_of('[policy]\nreject = ["critical", "high", "unknown-publisher", "wasm-import"]').reject == named


def test_a_policy_may_stand_in_a_file_of_its_own_with_or_without_publishers() -> None:
    alone = parse_policy_file(b'[policy]\nflag = ["medium", "low"]\n', source="p.toml")
    assert alone == PolicyFile(policy=Policy(flag=("medium", "low")))
    text = REGISTRY + '[publishers.acme]\nprojects = ["acme-*"]\n[policy]\nnative_publishers = ["acme"]\n'
    file = parse_policy_file((text + '[targets]\npythons = ["3.12"]\n').encode(), source="p.toml")
    assert file.policy.native_publishers == ("acme",)
    assert file.publishers == (Publisher(name="acme", projects=("acme-*",)),)
    assert file.targets == Targets(pythons=("3.12",))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "policy"),
        ("[policy]\nx = 1\n", "policy.x"),
        ("[registry]\nname = 'a'\n", "policy"),
        ("[policy]\n[registry]\nnames = 'a'\n", "registry.names"),
        ("[policy]\n[targets]\npython = []\n", "targets.python"),
        ("[policy]\n[expiry]\nroot_d = 0\n", "expiry.root_d"),
        ("[policy]\n[reviewers.ann]\nkeys = 1\n", "reviewers.ann.keys"),
    ],
)
def test_of_such_a_file_every_table_has_to_be_right(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=rf"p\.toml: {re.escape(says)}: "):
        parse_policy_file(text.encode(), source="p.toml")


# --- its digest ---------------------------------------------------------------------------------------------------


SERVED = Targets()


def test_the_digest_knows_every_value_and_no_order() -> None:
    one, two = Publisher(name="a", projects=("a-*", "b")), Publisher(name="b", projects=("c",))
    policy = Policy(accept=(accepting(), accepting(owner="x")))
    digest = policy_sha256(policy, (one, two), SERVED)
    assert policy_sha256(Policy(), (), SERVED) == policy_sha256(policy_of(POLICY_DEFAULT), (), SERVED)
    assert policy_sha256(Policy(max_wheel_mib=5), (), SERVED) == policy_sha256(
        policy_of("[policy]\nmax_wheel_mib = 5"), (), SERVED
    )
    shuffled = replace(policy, accept=policy.accept[::-1], reject=policy.reject[::-1], licences=policy.licences[::-1])
    assert policy_sha256(shuffled, (two, replace(one, projects=("b", "a-*"))), SERVED) == digest
    changed = [
        replace(policy, reject=("critical",)),
        replace(policy, flag=()),
        replace(policy, accept=policy.accept[:1]),
        replace(policy, licences=("MIT",)),
        replace(policy, max_wheel_mib=21),
        replace(policy, native_publishers=("a",)),
        replace(policy, reserved=()),
        replace(policy, reserved_prefixes=("x",)),
        replace(policy, advisories_max_age_days=31),
        replace(policy, automatic_approval=("a",)),
    ]
    assert len(changed) == len(fields(Policy)), "a new key belongs into the digest, and here"
    assert shuffled.digest() == policy.digest() == replace(policy, max_wheel_mib=20).digest()
    assert len({policy.digest(), *(each.digest() for each in changed)}) == len(changed) + 1
    digests = {policy_sha256(each, (one, two), SERVED) for each in changed} | {policy_sha256(policy, (one,), SERVED)}
    elsewhere = [replace(SERVED, pythons=("3.13",)), replace(SERVED, platforms=("win_amd64",))]
    digests |= {policy_sha256(policy, (one, two), each) for each in elsewhere}
    assert len(digests - {digest}) == len(changed) + 1 + len(elsewhere)
    turned = Targets(pythons=SERVED.pythons[::-1], platforms=SERVED.platforms[::-1])
    assert policy_sha256(policy, (one, two), turned) == digest


# --- docs/policy.md -----------------------------------------------------------------------------------------------

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs" / "policy.md").read_text()
SECTION = re.compile(r"^## `(\[+[a-zA-Z.]+\]+)`$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| `([a-z_]+)` \| ([a-z ]+) \| (.+?) \| `(.+?)` \| (.+) \|$", re.MULTILINE)
TABLES = {
    "[registry]": REGISTRY_KEYS,
    "[publishers.NAME]": PUBLISHER_KEYS,
    "[reviewers.NAME]": REVIEWER_KEYS,
    "[audit]": AUDIT_KEYS,
    "[[publishers.NAME.keys]]": KEY_KEYS,
    "[policy]": POLICY_KEYS,
    "[[policy.accept]]": ACCEPT_KEYS,
    "[targets]": TARGETS_KEYS,
    "[expiry]": EXPIRY_KEYS,
}
FRAMES = {
    "[registry]": "[registry]\n{keys}",
    "[publishers.NAME]": REGISTRY + "[publishers.acme]\n{keys}",
    "[reviewers.NAME]": REGISTRY + "[reviewers.ann]\n{keys}",
    "[audit]": REGISTRY + "[audit]\n{keys}",
    "[[publishers.NAME.keys]]": REGISTRY + '[publishers.acme]\nprojects = ["a"]\n[[publishers.acme.keys]]\n{keys}',
    "[policy]": REGISTRY + "[policy]\n{keys}",
    "[[policy.accept]]": REGISTRY + "[[policy.accept]]\n{keys}",
    "[targets]": REGISTRY + "[targets]\n{keys}",
    "[expiry]": REGISTRY + "[expiry]\n{keys}",
}


def rows(table: str) -> dict[str, tuple[str, ...]]:
    """key -> type, default, example and meaning."""
    return {key: tuple(rest) for key, *rest in ROW.findall(dict(SECTION.findall(DOCUMENT))[table])}


def with_required(table: str, key: str) -> str:
    needed = {other: row[2] for other, row in rows(table).items() if row[1] == "required" and other != key}
    if table == "[[policy.accept]]" and key not in ("finding", "check"):
        needed["finding"] = rows(table)["finding"][2]
    if key == "revoked":
        needed["until"] = rows(table)["until"][2]
    return FRAMES[table].format(keys="\n".join([rows(table)[key][2], *needed.values()]))


def test_only_tables_that_exist_are_documented() -> None:
    assert [name for name, _ in SECTION.findall(DOCUMENT)] == list(TABLES)


@pytest.mark.parametrize("table", TABLES)
def test_exactly_the_keys_the_parser_knows_are_documented_in_order(table: str) -> None:
    assert tuple(rows(table)) == TABLES[table]


@pytest.mark.parametrize(("table", "key"), [(table, key) for table, keys in TABLES.items() for key in keys])
def test_the_example_of_every_key_is_accepted_and_alone_is_what_its_type_says(table: str, key: str) -> None:
    text = with_required(table, key)
    assert parse_config(text.encode(), source="x").name
    kind, _, example, _ = rows(table)[key]
    wrong = f"{key} = {'1' if kind != 'integer' and kind != 'number' else 'true'}"
    with pytest.raises(ConfigError, match=f"{key}"):
        parse_config(text.replace(example, wrong).encode(), source="x")


@pytest.mark.parametrize(("table", "key"), [(table, key) for table in TABLES for key in rows(table)])
def test_what_is_said_to_be_required_is(table: str, key: str) -> None:
    without = with_required(table, key).replace(rows(table)[key][2], "")
    if rows(table)[key][1] == "required":
        with pytest.raises(ConfigError, match=key):
            parse_config(without.encode(), source="x")
    elif key not in ("finding", "check"):
        assert parse_config(without.encode(), source="x").name


def test_the_default_policy_stands_in_the_documentation_and_in_our_own_registry() -> None:
    assert f"```toml\n{POLICY_DEFAULT}```" in DOCUMENT
    ours = parse_config((ROOT / "simple-index" / "registry.example.toml").read_bytes(), source="simple-index")
    assert ours.policy == Policy()
    text = (ROOT / "simple-index" / "registry.example.toml").read_text()
    assert {key for key in POLICY_KEYS if re.search(rf"^{key} = ", text, re.MULTILINE)} == {*POLICY_KEYS} - {"accept"}


def test_what_is_commented_out_in_our_own_registry_may_be_used() -> None:
    text = (ROOT / "simple-index" / "registry.example.toml").read_text()
    used = re.sub(r"^# ((\[|[a-z]+ = ).*)$", r"\1", text, flags=re.MULTILINE)
    config = parse_config(used.encode(), source="x")
    assert [each.name for each in config.publishers] == ["platform-team"]
    assert [each.name for each in config.reviewers] == ["security-team"]
    assert (len(config.publishers[0].keys), len(config.reviewers[0].keys)) == (1, 1)
    assert [each.finding for each in config.policy.accept] == ["bandit-b603"]


def test_the_complete_examples_load() -> None:
    blocks = re.findall(r"^```toml\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    config = parse_config(blocks[0].encode(), source="x")
    assert config.policy.accept[0].owner == "security@example.org"
    assert config.publishers[0].admits("acme-patch-level")


@pytest.mark.parametrize("name", ["unknown-publisher", "reserved-name", "reserved-prefix", "confusable-name"])
def test_findings_about_names_are_documented_with_their_severity(name: str) -> None:
    source = (ROOT / "src" / "assess_registry" / "audit" / "checks" / "naming.py").read_text()
    found = dict(re.findall(r'id="([a-z-]+)",\s+severity="([a-z]+)"', source))
    assert re.search(rf"^\| `{name}` \| {found[name]} \|", DOCUMENT, re.MULTILINE)
    assert set(found) == set(re.findall(r"^\| `([a-z-]+-[a-z]+)` \| (?:medium|high) \|", DOCUMENT, re.MULTILINE))
