"""Could plugins run here as they are configured, and what is to be done? A file for each topic.

for line in examine(runtime, chosen): ...
"""

from assess_core.doctor.configuration import Chosen
from assess_core.doctor.examine import examine
from assess_core.doctor.values import Line, State

__all__ = ["Chosen", "Line", "State", "examine"]
