"""``python -m trackhub`` is the `trackhub` command."""

from trackhub.cli import main

main()
