"""What waves are called."""

from ...kind import Words

WORDS = Words("wave", "waves", "a .npy of float32", "a .jsonl with wave and label in each line")
