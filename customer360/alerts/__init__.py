"""Telling people that something needs them: what is told, by which way, and what was told before.

What has gone wrong is found elsewhere: in Dagster's runs by `customer360.orchestration.alerts`, in
the tables by `customer360.pipeline.freshness`. Nothing here knows either.
"""
