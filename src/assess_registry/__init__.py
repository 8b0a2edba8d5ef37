"""The supply chain: a wheel in, a signed index out, and safely back again."""
