"""A report in the forms that people and programs read; pure functions, the same report gives the same text."""

from assess_registry.audit.render.forms import FORMS, Form, render

__all__ = ["FORMS", "Form", "render"]
