"""What deploy/ says: held against the schemas of who reads it, and its services started."""
