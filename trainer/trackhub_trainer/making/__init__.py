"""Makes what ships in `assets/`, the sample data set and the tiny base model: `python -m trackhub_trainer.making`."""
