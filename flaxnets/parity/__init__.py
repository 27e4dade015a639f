"""The PyTorch side of the comparison. Needs the extra ``parity`` (torch)."""
