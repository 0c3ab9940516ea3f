"""The swanlab tracker through the conformance kit."""

from trackhub_swanlab import SwanlabTracker

from trackhub.testing import TrackerConformance


class TestSwanlab(TrackerConformance):
    tracker = SwanlabTracker
