"""Which addresses a name may have, whoever says so."""

from ipaddress import ip_address

import pytest

from assess_core.host.addresses import METADATA_ADDRESSES, METADATA_NAMES, forbidden, refusal


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("::1", "loopback"),
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"),
        ("::", "unspecified"),
        ("169.254.169.254", "metadata"),
        ("169.254.1.1", "link-local"),
        ("fe80::1", "link-local"),
        ("fec0::1", "site-local"),
        ("224.0.0.1", "multicast"),
        ("239.255.255.250", "multicast"),
        ("255.255.255.255", "multicast"),
        ("ff02::1", "multicast"),
        ("fd00:ec2::254", "metadata"),
        ("100.100.100.200", "metadata"),
        ("168.63.129.16", "metadata"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:169.254.169.254", "metadata"),
        ("::127.0.0.1", "loopback"),
        ("::ffff:0:127.0.0.1", "loopback"),
        ("64:ff9b::7f00:1", "loopback"),
        ("64:ff9b::a9fe:a9fe", "metadata"),
        ("64:ff9b:1::7f00:1", "loopback"),
        ("2002:7f00:1::", "loopback"),
        ("2002:a9fe:a9fe::1", "metadata"),
        ("2001:0:7f00:1::", "loopback"),
        ("2001:0:c000:201:3:4:80ff:fffe", "loopback"),
        ("fe80::5efe:7f00:1", "link-local"),
        ("2001:db8::5efe:7f00:1", "loopback"),
        ("2001:db8::200:5efe:169.254.169.254", "metadata"),
    ],
)
def test_addresses_that_mean_this_machine_are_forbidden_however_they_are_written(address: str, kind: str) -> None:
    assert forbidden(ip_address(address)) == kind
    why = refusal("peer.example.org", [ip_address("192.0.2.1"), ip_address(address)])
    assert (
        why
        == f"peer.example.org has the {kind} address {ip_address(address)}, which takes an entry with that very address"
    )
    if kind == "unspecified":
        assert "is no peer's" in refusal(address, [ip_address(address)]), (
            "named or not: the kernel takes it for loopback"
        )
    else:
        assert refusal(address, [ip_address(address)]) == "", "the control: the manifest has that very address"


@pytest.mark.parametrize(
    "address",
    ["10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "8.8.8.8", "fd12::1", "2001:4860::8888", "2606:4700::1",
     "::ffff:10.0.0.1", "64:ff9b::808:808", "2002:808:808::1"],
)  # fmt: skip
def test_others_are_not_private_ones_neither(address: str) -> None:
    assert forbidden(ip_address(address)) == ""
    assert refusal("peer.example.org", [ip_address(address)]) == ""


@pytest.mark.parametrize("address", ["0.0.0.0", "0.0.0.1", "::", "::ffff:0.0.0.0", "64:ff9b::"])
def test_an_address_that_is_none_grants_nothing_by_being_named(address: str) -> None:
    assert refusal(address, [ip_address(address)]) == (
        f"{ip_address(address)} is no peer's address: an entry with 127.0.0.1 or [::1] means this machine"
    )
    assert refusal("::1", [ip_address("::1")]) == "", "the control"


def test_localhost_is_loopback_and_nothing_else() -> None:
    assert refusal("localhost", [ip_address("127.0.0.1"), ip_address("::1")]) == ""
    assert "link-local" in refusal("localhost", [ip_address("127.0.0.1"), ip_address("169.254.1.1")])
    assert "loopback" in refusal("local.host", [ip_address("127.0.0.1")])


@pytest.mark.parametrize("name", sorted(METADATA_NAMES))
def test_names_of_metadata_services_are_refused_wherever_they_lead(name: str) -> None:
    assert "metadata service" in refusal(name, [ip_address("192.0.2.1")])


@pytest.mark.parametrize("address", sorted(METADATA_ADDRESSES, key=str), ids=str)
def test_another_address_that_was_named_does_not_help(address: object) -> None:
    assert refusal("127.0.0.1", [ip_address(str(address))]) != ""
