"""Whole deployments on a Spark cluster of this machine's processes, and over Spark Connect."""
