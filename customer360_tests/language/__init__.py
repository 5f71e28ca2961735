"""Tests of customer360.language."""
