"""The LoRA trainer: fine-tunes a language model on multiple-choice questions, and tells trackhub all about it.

`trainer --trackers swanlab,csv` is its command line (`cli`); `train` reads like the story of one training.
"""
