"""The jsonl tracker through the conformance kit."""

from trackhub_jsonl import JsonlTracker

from trackhub.testing import TrackerConformance


class TestJsonl(TrackerConformance):
    tracker = JsonlTracker
