"""Links lead below the registry's base or nowhere."""

from pathlib import Path

import pytest

from assess_registry.client.location import Base, Location, absolute_url, parse_base

PAGE = Location("simple/demo/index.json")
WHEEL = "files/demo/1.0/demo-1.0-py3-none-any.whl"
BASES = ["https://registry.example/assess", "http://127.0.0.1:8080/assess", "file:///srv/simple-index"]


@pytest.mark.parametrize("url", BASES)
@pytest.mark.parametrize("suffix", ["", "#sha256=" + "0" * 64])
def test_relative_link_below_the_base_is_followed(url: str, suffix: str) -> None:
    base = parse_base(url)
    assert base.locate(PAGE, f"../../{WHEEL}{suffix}") == WHEEL
    assert base.url_of(Location(WHEEL)) == f"{url.rstrip('/')}/{WHEEL}"


@pytest.mark.parametrize("url", BASES)
def test_absolute_link_below_the_base_is_followed(url: str) -> None:
    assert parse_base(url).locate(PAGE, f"{url.rstrip('/')}/{WHEEL}") == WHEEL


def test_local_version_survives_quoting_both_ways() -> None:
    base = parse_base(BASES[0])
    plain, quoted = "files/demo/1.0+a/demo-1.0+a-py3-none-any.whl", "files/demo/1.0%2Ba/demo-1.0%2Ba-py3-none-any.whl"
    assert base.locate(PAGE, f"../../{plain}") == base.locate(PAGE, f"../../{quoted}") == plain
    assert base.locate(PAGE, base.url_of(Location(plain))) == plain


@pytest.mark.parametrize("url", BASES)
@pytest.mark.parametrize(
    "link",
    [
        "",
        "https://evil.example/files/demo.whl",
        "//evil.example/files/demo.whl",
        "file:///etc/passwd",
        "file:///srv/other/files/demo.whl",
        "ftp://registry.example/assess/files/demo.whl",
        "data:,x",
        "../../../outside/demo.whl",
        "/etc/passwd",
        "../../files/%2e%2e/%2e%2e/demo.whl",
        "../../files/a%2fb.whl",
        "../../files/a%252fb.whl",
        "../../files/a%00.whl",
        "../../files/.hidden",
        "../../files/",
        "../../files/demo.whl?x=1",
        "..\\..\\files\\demo.whl",
        "../../files/de mo.whl",
        "../../files/demo\n.whl",
        "../../files/d\u0435mo.whl",
        "../../" + "a" * 3000,
    ],
)
def test_link_that_leads_elsewhere_is_refused(url: str, link: str) -> None:
    with pytest.raises(ValueError, match="link"):
        parse_base(url).locate(PAGE, link)


def test_neighbour_whose_name_begins_like_the_base_is_outside() -> None:
    base = parse_base("https://registry.example/assess")
    with pytest.raises(ValueError, match="outside of the registry"):
        base.locate(PAGE, "https://registry.example/assess-evil/files/demo.whl")


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("https://Registry.Example", "https://registry.example/"),
        ("HTTPS://registry.example:8443/a/", "https://registry.example:8443/a/"),
        ("http://localhost:1/x", "http://localhost:1/x/"),
        ("http://[::1]:8080", "http://[::1]:8080/"),
        ("http://127.8.9.10/", "http://127.8.9.10/"),
    ],
)
def test_base_is_normalised(url: str, normal: str) -> None:
    assert parse_base(url) == Base(url=normal, directory=None)


def test_file_base_knows_its_directory(tmp_path: Path) -> None:
    place = tmp_path / "with space" / "simple-index"
    assert parse_base(place.as_uri()) == Base(url=place.as_uri() + "/", directory=place)
    assert parse_base(f"file:{tmp_path}").directory == tmp_path
    assert parse_base(f"file://localhost{tmp_path}").directory == tmp_path


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://registry.example/", "loopback only"),
        ("http://10.0.0.1/", "loopback only"),
        ("http://127.0.0.1.evil.example/", "loopback only"),
        ("https://user:secret@registry.example/", "no blank, user"),
        ("https://registry.example/?token=1", "query"),
        ("https://registry.example/#a", "fragment"),
        ("https://registry.example/a/../b", "without '.'"),
        ("https://registry.example:99999/", "ort"),
        ("https:///simple", "expected https://HOST"),
        ("ftp://registry.example/", "expected https://HOST"),
        ("simple-index", "expected https://HOST"),
        ("", "expected no blank"),
        ("file:simple-index", "directory of this machine"),
        ("file://otherhost/srv", "directory of this machine"),
        ("file:///srv/a%00b", "directory of this machine"),
        ("https://registry.example/a b", "no blank"),
    ],
)
def test_other_base_is_refused_with_what_was_expected(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        parse_base(url)
    assert "secret" not in str(refused.value)


def test_relative_file_url_is_taken_from_where_the_config_file_lies(tmp_path: Path) -> None:
    assert absolute_url("file:simple-index", directory=tmp_path) == (tmp_path / "simple-index").as_uri()
    assert parse_base(absolute_url("file:../up", directory=tmp_path / "etc")).directory == tmp_path / "up"
    assert absolute_url("file:///srv/x", directory=tmp_path) == "file:///srv/x"
    assert absolute_url("https://registry.example/", directory=tmp_path) == "https://registry.example/"
