import pytest

from tests.support.programs import REQUIRE_VARIABLE, installer_environment, require_program


def test_a_program_that_is_there_is_found() -> None:
    assert require_program("sh").endswith("/sh")


def test_an_absent_program_skips_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(REQUIRE_VARIABLE, raising=False)
    with pytest.raises(pytest.skip.Exception, match="no-such-program"):
        require_program("no-such-program")


def test_an_absent_program_fails_where_everything_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REQUIRE_VARIABLE, "all")
    with pytest.raises(pytest.fail.Exception, match="no-such-program"):
        require_program("no-such-program")


def test_no_outside_configuration_reaches_an_installer(monkeypatch: pytest.MonkeyPatch) -> None:
    outside = ("PIP_INDEX_URL", "UV_INDEX_URL", "PYTHONPATH", "PYTHONHOME", "HTTPS_PROXY", "HOME")
    for name in outside:
        monkeypatch.setenv(name, "https://evil.example/simple")
    assert not set(outside) & set(installer_environment())
