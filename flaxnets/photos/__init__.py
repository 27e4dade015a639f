"""Pictures of one's own: read, and brought to the form of a dataset."""
