"""How many examples a property is shown, and which: a third of what its test names, and the same ones each time.

So a change is judged by nothing but the change. ASSESS_TEST_EXAMPLES=1 shows all of them, and other ones each time, as
is done every night. No example has a deadline: a slow machine is no fault of what is tested.
"""

import os

from hypothesis import HealthCheck, settings

VARIABLE = "ASSESS_TEST_EXAMPLES"


def examples(of: int) -> int:
    """For `max_examples`, where they take long."""
    return max(of // int(os.environ.get(VARIABLE, "3")), 1)


def load_profile() -> None:
    """What holds for every property that says nothing else; before any of them is imported."""
    settings.register_profile(
        "assess",
        max_examples=examples(100),
        deadline=None,
        derandomize=VARIABLE not in os.environ,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("assess")
