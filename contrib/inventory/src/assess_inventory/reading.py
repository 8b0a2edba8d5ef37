"""The file: bounded, decoded, and read by the notation that its name ends with."""

from assess_inventory.entries import Inventory, to_inventory
from assess_inventory.tables import InventoryError, csv_entries, toml_entries
from assess_plugin import Host

MAX_FILE_BYTES = 16 << 20
PIECE_BYTES = 64 * 1024
"""Read at once: much more is refused by the kernel as too much for one of its parameters."""


def read_inventory(host: Host, path: str) -> Inventory:
    """What the file lists.

    Raises:
        OSError: it is not there, or may not be read.
        InventoryError: it is too large, or is no inventory at all.
    """
    data = _read(host, path)
    try:
        if path.endswith(".csv"):
            # what is not UTF-8 spoils the row that it stands in
            return to_inventory(csv_entries(data.decode("utf-8-sig", "surrogateescape")))
        if path.endswith(".toml"):
            return to_inventory(toml_entries(data.decode("utf-8-sig")))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InventoryError(f"{path}: line {line}: not UTF-8; save the file as UTF-8") from error
    except InventoryError as error:
        raise InventoryError(f"{path}: {error}") from error
    raise InventoryError(f"{path}: an inventory is a file whose name ends in .toml or .csv")


def _read(host: Host, path: str) -> bytes:
    data = bytearray()
    with host.open(path) as file:
        while piece := file.read(PIECE_BYTES):
            data += piece
            if len(data) > MAX_FILE_BYTES:
                raise InventoryError(f"{path}: larger than {MAX_FILE_BYTES >> 20} MiB")
    return bytes(data)
