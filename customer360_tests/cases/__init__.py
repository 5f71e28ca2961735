"""Whole inputs: files as people have them and their mapping, through bronze and silver.

Each test writes its files out, loads them as a run does but without Dagster, and compares rows and
money with values worked out by hand. One file a kind of input.
"""
