"""The csv tracker through the conformance kit."""

from trackhub_csv import CsvTracker

from trackhub.testing import TrackerConformance


class TestCsv(TrackerConformance):
    tracker = CsvTracker
