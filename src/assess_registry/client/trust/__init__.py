"""What the registry says now, by TUF, and what it last said: nothing of it can be forged, rolled back or mixed.

`SignedWord` (in `word.py`) asks the registry and remembers; its `Word`s hand out signed files. Only `rules`, `fetcher`,
`metadata`, `remembered` and `refusals` import the `tuf` library, which costs about 80 ms: this package imports none of
them by itself, and `open.py` does at first use.
"""

from assess_registry.client.trust.open import check_root, open_word
from assess_registry.client.trust.port import TrustState, Word
from assess_registry.client.trust.terms import RoleTerm, kept_terms

__all__ = ["RoleTerm", "TrustState", "Word", "check_root", "kept_terms", "open_word"]
