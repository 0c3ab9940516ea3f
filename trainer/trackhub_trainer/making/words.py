"""The words that the sample data set asks about, by what they name."""

from __future__ import annotations

WORDS: dict[str, tuple[str, ...]] = {
    "an animal": (
        "bear",
        "camel",
        "cow",
        "dog",
        "goat",
        "horse",
        "lion",
        "monkey",
        "mouse",
        "rabbit",
        "sheep",
        "tiger",
    ),
    "a fruit": ("apple", "banana", "cherry", "grape", "lemon", "mango", "melon", "orange", "peach", "pear", "plum"),
    "a colour": ("black", "blue", "brown", "green", "grey", "pink", "purple", "red", "violet", "white", "yellow"),
    "a tool": ("axe", "chisel", "drill", "file", "hammer", "knife", "pliers", "saw", "shovel", "spade", "wrench"),
    "a vehicle": ("bicycle", "boat", "bus", "car", "ferry", "lorry", "plane", "ship", "train", "tram", "truck"),
    "a garment": ("belt", "cap", "coat", "dress", "glove", "hat", "jacket", "scarf", "shirt", "shoe", "sock"),
    "an instrument": ("bassoon", "cello", "drum", "flute", "guitar", "harp", "oboe", "piano", "trumpet", "violin"),
    "a number": ("eight", "eleven", "five", "four", "nine", "one", "seven", "six", "ten", "three", "twelve", "two"),
}

ASKED = "an animal"
"""What every question asks for: one rule is what so small a model can learn."""

WORDINGS = (
    "Which of these is an animal?",
    "One of these words names an animal. Which one?",
    "Which word stands for something that is alive?",
    "Only one of these can breathe. Which is it?",
)
