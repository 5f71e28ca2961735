"""Serving: lists, contacts and files against expected members, published hashes, real kills."""
