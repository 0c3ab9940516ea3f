"""Pictures, sound, tables and the like as values: what `run.log_media` takes.

Making one costs nothing: the value becomes a file when it is logged. None of numpy, torch, Pillow, matplotlib,
pandas and polars is imported unless the value comes from it, or cannot become a file without it.
"""

from trackhub.media.audio import Audio
from trackhub.media.base import Encoded, Medium
from trackhub.media.figure import Figure
from trackhub.media.histogram import Histogram
from trackhub.media.image import Image
from trackhub.media.table import Table
from trackhub.media.text import Html, Text
from trackhub.media.video import Video

__all__ = ["Audio", "Encoded", "Figure", "Histogram", "Html", "Image", "Medium", "Table", "Text", "Video"]
