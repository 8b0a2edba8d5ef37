"""Programs that an audit starts on hostile files, as `python -I -m …`: they import their tool and nothing of ours."""
