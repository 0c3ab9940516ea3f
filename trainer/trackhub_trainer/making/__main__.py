"""Make the sample data set, then the tiny model: the same files every time, in about two minutes."""

from __future__ import annotations

from trackhub_trainer.making import sample, tiny

if __name__ == "__main__":
    sample.write()
    tiny.write()
