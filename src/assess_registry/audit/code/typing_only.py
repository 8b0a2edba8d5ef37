"""Whether what stands below `if TYPE_CHECKING` is for type checkers alone, or merely looks like it."""

from assess_registry.audit.code.facts import FileCode


def means_type_checking(code: FileCode) -> bool:
    """Whether `TYPE_CHECKING` is that of `typing`, and nothing in the file can make it something else."""
    if code.stars:
        return False
    if "TYPE_CHECKING" in code.bound:
        return code.bound["TYPE_CHECKING"] == {"typing.TYPE_CHECKING"} and code.stores.get("TYPE_CHECKING") == 1
    if "TYPE_CHECKING" in code.stores:
        return False
    names = {name for name, targets in code.bound.items() if targets == {"typing"} and code.stores.get(name) == 1}
    asked = {chain[0] for chain in code.mentions if chain[-1] == "TYPE_CHECKING" and len(chain) > 1}
    return bool(asked) and asked <= names
