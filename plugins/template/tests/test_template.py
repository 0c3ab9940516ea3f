from trackhub_template import TemplateTracker

from trackhub.testing import TrackerConformance


class TestTemplateTracker(TrackerConformance):
    tracker = TemplateTracker
