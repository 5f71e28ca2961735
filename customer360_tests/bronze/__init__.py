"""Ingestion: every raw row becomes a bronze row or a quarantined one."""
