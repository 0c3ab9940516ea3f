"""Lineage: which line of the data went into which step and checkpoint. Reads journals; needs no torch.

order        which questions go into which step: the law, a pure function
"""
