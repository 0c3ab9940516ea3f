"""The tensorboard tracker through the conformance kit."""

from trackhub_tensorboard import TensorboardTracker

from trackhub.testing import TrackerConformance


class TestTensorboard(TrackerConformance):
    tracker = TensorboardTracker
