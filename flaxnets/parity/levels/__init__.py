"""The levels, one or a few of a kind a module. Each is a generator of records."""
