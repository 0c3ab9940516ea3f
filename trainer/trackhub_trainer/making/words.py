"""The words that the sample data set asks about, by what they name."""

from __future__ import annotations

WORDS: dict[str, tuple[str, ...]] = {
    "a fruit": ("apple", "banana", "cherry", "grape", "lemon", "mango", "melon", "orange", "peach", "pear", "plum"),
    "an animal": ("bear", "camel", "cow", "dog", "goat", "horse", "lion", "monkey", "mouse", "rabbit", "sheep"),
    "a colour": ("black", "blue", "brown", "green", "grey", "pink", "purple", "red", "violet", "white", "yellow"),
    "a tool": ("axe", "chisel", "drill", "file", "hammer", "knife", "pliers", "saw", "shovel", "spade", "wrench"),
    "a vehicle": ("bicycle", "boat", "bus", "car", "ferry", "lorry", "plane", "ship", "train", "tram", "truck"),
    "a piece of clothing": ("belt", "cap", "coat", "dress", "glove", "hat", "jacket", "scarf", "shirt", "shoe", "sock"),
    "a musical instrument": ("bassoon", "cello", "drum", "flute", "guitar", "harp", "oboe", "piano", "trumpet"),
    "a number": ("eight", "eleven", "five", "four", "nine", "one", "seven", "six", "ten", "three", "twelve", "two"),
}

WORDINGS = (
    "Which of these is {kind}?",
    "One of these words names {kind}. Which one?",
    "Which word stands for {kind}?",
    "Only one of these is {kind}. Which is it?",
)
