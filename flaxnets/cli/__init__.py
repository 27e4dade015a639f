"""The command line: a file each sub-command."""
