"""A plugin that uses what has compiled code in it; the check's id says which."""

import importlib

from assess_plugin import ActionInput, ActionOutput, CheckResult, Outcome, hookimpl


@hookimpl
def assess_execute(input: ActionInput) -> ActionOutput:
    return ActionOutput(
        results=tuple(
            CheckResult(check_id=check, outcome=Outcome.PASS, actual=str(globals()[f"use_{check}"]()))
            for check in input.checks
        )
    )


def use_numpy() -> float:
    numpy = importlib.import_module("numpy")
    matrix = numpy.eye(64) * 2
    return float((numpy.linalg.inv(matrix) @ matrix).sum())


def use_cryptography() -> int:
    ed25519 = importlib.import_module("cryptography.hazmat.primitives.asymmetric.ed25519")
    return len(ed25519.Ed25519PrivateKey.generate().sign(b"x"))


def use_lxml() -> str:
    etree = importlib.import_module("lxml.etree")
    text: bytes = etree.tostring(etree.fromstring("<a><b/></a>"))
    return text.decode()


def use_yaml() -> dict[str, int]:
    yaml = importlib.import_module("yaml")
    parsed: dict[str, int] = yaml.load("a: 1", Loader=yaml.CSafeLoader)
    return parsed


def use_pydantic() -> int:
    pydantic = importlib.import_module("pydantic")
    return int(pydantic.TypeAdapter(int).validate_python("3"))


def use_greenlet() -> int:
    return int(importlib.import_module("greenlet").greenlet(lambda: 5).switch())


def use_grpc() -> bool:
    return bool(importlib.import_module("grpc").__version__)


def use_sqlite() -> int:
    connection = importlib.import_module("sqlite3").connect("here.db")
    connection.execute("create table t (n integer)")
    connection.execute("insert into t values (7)")
    connection.commit()
    return int(connection.execute("select n from t").fetchone()[0])


def use_psutil() -> str:
    """Wants /proc, which shows other processes too, and is told that it may not."""
    psutil = importlib.import_module("psutil")
    try:
        psutil.virtual_memory()
    except PermissionError as error:
        return str(error.filename)
    return "all of it"
