"""Programs that an audit starts on hostile files, as `python -I -m …`: other people's tools, made quicker.

Each was compared with the tool it is in place of, and a test does so again. Of other versions than these nothing is
changed: they take longer.
"""

BANDIT_VERSIONS = ("1.9.4",)
DETECT_SECRETS_VERSIONS = ("1.5.0",)
