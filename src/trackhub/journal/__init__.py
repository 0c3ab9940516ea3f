"""The journal: the append-only truth of a run.

format     how an event is a line, and a line an event
writing    one writer a file: one `write` per event
backlog    what waits in memory while the disk is full
tail       the complete lines of one growing file, from a position on
following  all files of a run as one stream; `read` for the whole of it
"""

from trackhub.journal.following import Follower, Item, read
from trackhub.journal.tail import Position, Tail
from trackhub.journal.writing import JournalWriter

__all__ = ["Follower", "Item", "JournalWriter", "Position", "Tail", "read"]
