"""Contracts: what is read from YAML, what is refused, and what every rule makes of a value."""
