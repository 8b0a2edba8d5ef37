from assess_registry.scaffolding import ScaffoldReport as ScaffoldReport
from assess_registry.scaffolding import scaffold as scaffold
from assess_registry.simple import InstallReport as InstallReport
from assess_registry.simple import RegistryEntry as RegistryEntry
from assess_registry.simple import RegistryIndex as RegistryIndex
from assess_registry.simple import VerifyReport as VerifyReport
from assess_registry.simple import find_entry as find_entry
from assess_registry.simple import install as install
from assess_registry.simple import load_index as load_index
from assess_registry.simple import verify as verify

__all__: list[str]
