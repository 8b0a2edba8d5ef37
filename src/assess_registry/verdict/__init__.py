"""What was found in exact bytes, as statements that are signed: the verdict, and whether enough people approve it."""

from assess_registry.verdict.approval import Approval, check_approval
from assess_registry.verdict.permissions import (
    permissions_digest,
    permissions_table,
    permissions_words,
    quoted_path,
    read_table,
)
from assess_registry.verdict.statement import (
    PAYLOAD_TYPE,
    PREDICATE_TYPE,
    SLSA_VERSION,
    STATEMENT_TYPE,
    VERIFIER_ID,
    ApprovedBy,
    Result,
    Verdict,
    parse_verdict,
)

__all__ = [
    "PAYLOAD_TYPE",
    "PREDICATE_TYPE",
    "SLSA_VERSION",
    "STATEMENT_TYPE",
    "VERIFIER_ID",
    "Approval",
    "ApprovedBy",
    "Result",
    "Verdict",
    "check_approval",
    "parse_verdict",
    "permissions_digest",
    "permissions_table",
    "permissions_words",
    "quoted_path",
    "read_table",
]
