"""Tests of what leaves the lakehouse."""
