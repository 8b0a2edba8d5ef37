"""Entry point `inventory`: finds the subjects that a file lists and a selector matches.

A row that cannot be read is a problem of every assessment that asks: nobody knows whether it would have matched. What
can be read is found all the same.
"""

from assess_inventory.query import matches_query, parse_query
from assess_inventory.reading import read_inventory
from assess_plugin import EvaluateInput, EvaluateResult, hookimpl
from assess_plugin.selecting import limited, parse_selector


@hookimpl
def assess_evaluate(input: EvaluateInput) -> EvaluateResult:
    """The subjects of the file that match, and what is wrong with the rest of it."""
    selector = parse_selector(input.selector, queries=True)
    terms = parse_query(selector.query or "")
    listed = read_inventory(input.host, input.settings["file"])
    found = tuple(each for each in listed.subjects if selector.matches(each) and matches_query(terms, each))
    return EvaluateResult(subjects=found, problems=limited([*listed.problems, *selector.unknown(listed.subjects)]))
