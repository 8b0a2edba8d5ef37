"""How many examples a property is shown: a third of what its test names, and other ones each time.

ASSESS_TEST_EXAMPLES=1 shows all of them.
"""

import os


def examples(of: int) -> int:
    """For `max_examples`, where they take long."""
    return max(of // int(os.environ.get("ASSESS_TEST_EXAMPLES", "3")), 1)
