"""The conformance kit: a tracker's whole test is a subclass of `TrackerConformance` that names its plugin class.

    from trackhub.testing import TrackerConformance
    from my_package import MyTracker

    class TestMine(TrackerConformance):
        tracker = MyTracker

Every test delivers a real journal with the real courier, in a process of its own, and reads back through the plugin's
`read_back`. Tests hang on what the class declares (its limits, its rules, the hooks it has), never on its name: a test
of something that the tracker does not claim is skipped, and says so.
"""

from trackhub.testing.kit.contents import Contents
from trackhub.testing.kit.crashes import Crashes
from trackhub.testing.kit.manners import Manners
from trackhub.testing.kit.points import Points


class TrackerConformance(Manners, Points, Contents, Crashes):
    """Everything that trackhub expects of a tracker. Subclass it, and set `tracker`.

    Where the backend keeps more than points, override `read_params`, `read_status` or `read_media`: what they return
    is compared with what was logged.
    """


__all__ = ["TrackerConformance"]
