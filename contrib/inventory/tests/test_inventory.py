"""Both notations say the same; what matches is found, and every row that is wrong is told with its line."""

from dataclasses import replace
from typing import Any

import pytest

from assess_inventory import provider
from assess_inventory.entries import MAX_SUBJECTS
from assess_inventory.reading import MAX_FILE_BYTES
from assess_inventory.tables import InventoryError
from assess_plugin import Denied, EvaluateResult, Subject
from assess_plugin.selecting import SelectorError
from assess_plugin.testing import PlantedHost, evaluate, evaluation

TOML = """
[[subjects]]
id = "host:db-01"
type = "inventory-item"
title = "db-01, rack 7"
labels = { env = "prod", role = "db" }
props = { address = "192.0.2.7" }

[[subjects]]
id = "host:web-01"
labels = { env = "prod", role = "web" }

[[subjects]]
id = "bucket:logs"
type = "resource"
labels = { env = "test" }
"""
CSV = """id,type,title,label.env,label.role,prop.address
host:db-01,inventory-item,"db-01, rack 7",prod,db,192.0.2.7
host:web-01,,,prod,web,

bucket:logs,resource,,test,,
"""
LINED_UP = """id         , type          , title          , label.env, label.role, prop.address
host:db-01 , inventory-item, "db-01, rack 7", prod     , db        , 192.0.2.7
host:web-01,               ,                , prod     , web       ,\t
bucket:logs, resource      ,                , test     ,           ,
"""
SUBJECTS = (
    Subject(
        id="host:db-01",
        type="inventory-item",
        title="db-01, rack 7",
        labels={"env": "prod", "role": "db"},
        props={"address": "192.0.2.7"},
    ),
    Subject(id="host:web-01", type="inventory-item", title="host:web-01", labels={"env": "prod", "role": "web"}),
    Subject(id="bucket:logs", type="resource", title="bucket:logs", labels={"env": "test"}),
)


def planted(host: PlantedHost, text: str | bytes, name: str = "hosts.csv") -> PlantedHost:
    """A host with this inventory, which the settings name."""
    path = f"/etc/assess/inventory/{name}"
    host.plant(path, text)
    host.manifest = replace(host.manifest, defaults={"file": path})
    return host


def found(host: PlantedHost, **selector: Any) -> EvaluateResult:
    return evaluation(provider, host, selector=selector)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("hosts.toml", TOML),
        ("hosts.csv", CSV),
        ("hosts.csv", CSV.replace("\n", "\r\n")),
        ("hosts.csv", "\ufeff" + CSV),
        ("hosts.toml", "\ufeff" + TOML),
        ("hosts.csv", CSV.rstrip("\n")),
        ("hosts.csv", LINED_UP),
        ("hosts.csv", CSV + "  \n\n"),
    ],
)
def test_both_notations_say_the_same(host: PlantedHost, name: str, text: str) -> None:
    assert evaluate(provider, planted(host, text, name)) == SUBJECTS


@pytest.mark.parametrize(
    ("selector", "ids"),
    [
        ({"labels": {"env": "prod"}}, ["host:db-01", "host:web-01"]),
        ({"labels": {"env": "prod", "role": "web"}}, ["host:web-01"]),
        ({"expressions": [{"key": "role", "operator": "does not exist"}]}, ["bucket:logs"]),
        ({"expressions": [{"key": "role", "operator": "not in", "values": ["web"]}]}, ["host:db-01", "bucket:logs"]),
        ({"ids": ["bucket:logs"]}, ["bucket:logs"]),
        ({"query": "host:*"}, ["host:db-01", "host:web-01"]),
        ({"query": "host:* role=d?"}, ["host:db-01"]),
        ({"query": "role!=w*"}, ["host:db-01", "bucket:logs"]),
        ({"query": "env=*"}, ["host:db-01", "host:web-01", "bucket:logs"]),
        ({"query": "env=*", "labels": {"role": "db"}}, ["host:db-01"]),
        ({"query": "nothing=*"}, []),
        ({"labels": {"env": "none"}}, []),
    ],
    ids=str,
)
def test_what_matches_is_found(host: PlantedHost, selector: dict[str, Any], ids: list[str]) -> None:
    result = found(planted(host, CSV), **selector)
    assert [subject.id for subject in result.subjects] == ids
    assert result.problems == ()


def test_an_id_that_is_not_there_is_told_and_the_others_are_found(host: PlantedHost) -> None:
    result = found(planted(host, CSV), ids=["host:db-01", "host:db-1"])
    assert [subject.id for subject in result.subjects] == ["host:db-01"]
    assert result.problems == ("there is no subject 'host:db-1' (did you mean 'host:db-01'?)",)


@pytest.mark.parametrize("query", ["=web", "role=", "!=web", "x " * 60])
def test_a_query_that_is_not_understood_is_refused(host: PlantedHost, query: str) -> None:
    with pytest.raises(SelectorError, match=r"selector\.query"):
        found(planted(host, CSV), query=query)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (b",,,prod,,", "line 3: it has no id; it is left out"),
        (b"host:a,,", "line 3: 3 values for 6 columns; it is left out"),
        (b"host:a,,,,,,", "line 3: 7 values for 6 columns; it is left out"),
        (b"host:a,server,,,,", "line 3: subject 'host:a' has type 'server', not one of "),
        (b"host:a,,a\x1b[31m,,,", "line 3: title holds what is not printable, or not UTF-8"),
        (b"host:\xff,,,,,", "line 3: id holds what is not printable, or not UTF-8"),
        (b"host:a,,,\xff,,", "line 3: labels.env holds what is not printable, or not UTF-8"),
        (b"x" * 129 + b",,,,,", "line 3: subject id must be 1 to 128 printable characters"),
        (b"host:a,,,%s,," % (b"x" * 201), "line 3: label 'env' is longer than 200 characters"),
        (b"host:db-01,,,,,", "line 3: id 'host:db-01' is that of line 2; only that one counts"),
        (b"  host:db-01 ,,,,,", "line 3: id 'host:db-01' is that of line 2; only that one counts"),
        (b"   ,,,prod,,", "line 3: it has no id; it is left out"),
        (b'"host:a\nb",,,,,', "line 3: id holds what is not printable, or not UTF-8"),
    ],
    ids=str,
)
def test_a_row_that_is_wrong_is_told_and_the_others_count(host: PlantedHost, row: bytes, problem: str) -> None:
    first, second, *rest = CSV.encode().split(b"\n")
    result = found(planted(host, b"\n".join([first, second, row, *rest])))
    assert [subject.id for subject in result.subjects] == ["host:db-01", "host:web-01", "bucket:logs"]
    (told,) = result.problems
    assert told.startswith(problem)


def test_a_quote_that_is_never_closed_hides_nothing_quietly(host: PlantedHost) -> None:
    first, second, *rest = CSV.split("\n")
    result = found(planted(host, "\n".join([first, second, 'host:a,,"open,,,', *rest])))
    assert [subject.id for subject in result.subjects] == ["host:db-01"]
    (told,) = result.problems
    assert told.startswith("line 3: ")
    assert "what follows it is not read" in told


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("title = 'a'", "subjects[3]: it has no id; it is left out"),
        ("id = 7", "subjects[3]: id must be a string, got 7; it is left out"),
        ("id = 'host:a'\nlabel = {}", "subjects[3]: unknown key 'label'; there are id, type, title, labels, props"),
        ("id = 'host:a'\nlabels = []", "subjects[3]: labels must be a table of strings, got []; it is left out"),
        ("id = 'host:a'\nlabels = { env = 1 }", "subjects[3]: labels.env must be a string, got 1; it is left out"),
        ("id = 'host:a'\nlabels = { '' = 'x' }", "subjects[3]: a key of labels is empty; it is left out"),
        ("id = 'host:a'\ntype = 'inventory-items'", "subjects[3]: subject 'host:a' has type"),
        ("id = ' host:a'", "subjects[3]: id ' host:a' begins or ends with a blank; it is left out"),
        (
            "id = 'host:a'\nlabels = { env = 'prod ' }",
            "subjects[3]: label 'env', or its value, begins or ends with a bl",
        ),
        (
            "id = 'host:a'\nlabels = { 'env ' = 'prod' }",
            "subjects[3]: label 'env ', or its value, begins or ends with a",
        ),
        ("id = 'host:db-01'", "subjects[3]: id 'host:db-01' is that of subjects[0]; only that one counts"),
    ],
    ids=str,
)
def test_a_table_that_is_wrong_is_told_and_the_others_count(host: PlantedHost, entry: str, problem: str) -> None:
    result = found(planted(host, f"{TOML}\n[[subjects]]\n{entry}\n", "hosts.toml"))
    assert result.subjects == SUBJECTS
    (told,) = result.problems
    assert told.startswith(problem)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("hosts.csv", b"", "hosts.csv: it is empty; its first line must name its columns"),
        ("hosts.csv", b"name,label.env\n", "line 1: unknown column 'name'"),
        ("hosts.csv", b"id,labels.env\n", r"unknown column 'labels.env'.*did you mean 'label.'\?"),
        ("hosts.csv", b"id,label.\n", "unknown column 'label.'"),
        ("hosts.csv", b"type,title\n", "line 1: there is no column 'id'"),
        ("hosts.csv", b"id,id\n", "line 1: column 'id' comes twice"),
        ("hosts.toml", b"subjects = 1", "hosts.toml: subjects must be written as"),
        ("hosts.toml", b"[[subject]]\nid = 'a'", "unknown key 'subject'"),
        ("hosts.toml", b"[[subjects]\n", "not TOML"),
        ("hosts.toml", b"a = '\n\xff'", "line 2: not UTF-8"),
        ("hosts.json", b"{}", "a file whose name ends in .toml or .csv"),
        ("hosts.csv", b"x" * (MAX_FILE_BYTES + 1), "larger than 16 MiB"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_no_inventory_fails(host: PlantedHost, name: str, data: bytes, words: str) -> None:
    with pytest.raises(InventoryError, match=words):
        found(planted(host, data, name))


def test_a_file_that_is_not_there_fails_and_one_elsewhere_is_denied(host: PlantedHost) -> None:
    with pytest.raises(FileNotFoundError):
        found(host)
    host.plant("/etc/passwd.csv", "id\n")
    host.manifest = replace(host.manifest, defaults={"file": "/etc/passwd.csv"})
    with pytest.raises(Denied):
        found(host)


def test_more_than_it_may_have_is_told(host: PlantedHost) -> None:
    rows = "".join(f"s{number}\n" for number in range(MAX_SUBJECTS + 5))
    result = found(planted(host, f"id\n{rows}"), ids=["s7"])
    assert [subject.id for subject in result.subjects] == ["s7"]
    assert result.problems == (
        f"line {MAX_SUBJECTS + 2}: more than {MAX_SUBJECTS} entries; this one and what follows are left out",
    )


def test_only_so_many_problems_are_told_and_the_rest_counted(host: PlantedHost) -> None:
    result = found(planted(host, "id\n" + ",\n" * 5000))
    assert len(result.problems) == 100
    assert result.problems[-1] == "and 4901 more like these"
