"""Lineage: which line of the data went into which step and checkpoint. Reads journals; needs no torch.

order        which questions go into which step: the law, a pure function
law          what a run's configuration says of it
reading      what the journal says
proof        whether both agree
pairs        checkpoints with their lines, as a file
traditional  the four files that the traditional trainer kept; three of them are made in checkpoint_files
"""
