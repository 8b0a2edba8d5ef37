"""Between a publisher and a published wheel: submissions, the audit of each, and what reviewers say of them."""
