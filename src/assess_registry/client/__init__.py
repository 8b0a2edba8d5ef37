"""The reading side of a registry: config -> resolve -> fetch -> verify."""
