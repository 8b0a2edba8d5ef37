"""Plugins as programs, to be copied into an environment by `make_program`; never imported by the tests themselves."""
