"""Data that somebody could have, made up from a seed: rows of numbers, and short Chinese
reviews.
"""

import csv
from pathlib import Path

import numpy as np

HEAPS = ("01", "1", "1.0")  # names of the heaps of points
# What a review is about, and what it says of it: words for praise, and words for complaint.
THINGS = (
    "屏幕",
    "电池",
    "房间",
    "服务",
    "包装",
    "快递",
    "价格",
    "键盘",
    "书里的故事",
    "翻译",
    "早餐",
    "声音",
)
FILLERS = (
    "我觉得",
    "总的来说",
    "用了一个月",
    "第二次买了",
    "送给朋友的",
    "和描述一样",
    "说实话",
    "周末收到",
    "没想到",
    "到现在为止",
)
WORDS = {
    "好评": ("很满意", "非常好", "值得推荐", "特别喜欢", "物超所值"),
    "差评": ("很失望", "太差了", "不值这个价", "已经退货", "后悔买了"),
}


def points(file: Path, n: int, seed: int = 0) -> Path:
    """A CSV of `n` points of three heaps in six dimensions, which hardly touch, as people have such
    files.

    With the index that pandas writes along, times in milliseconds, a cell that is no number, a
    value that is missing, and classes that are all the same number.
    """
    generator = np.random.default_rng(seed)
    kinds = generator.integers(0, 3, n)
    values = generator.normal(size=(n, 6)) + 3 * generator.normal(size=(3, 6))[kinds]
    times = 1_700_000_000_000 + 250 * generator.permutation(n)
    rows = [
        [str(index), *(f"{one:.4f}" for one in row), str(time), HEAPS[kind]]
        for index, (row, kind, time) in enumerate(zip(values, kinds, times, strict=True))
    ]
    rows[7][1], rows[8][2] = "broken", "缺失"
    return _write(file, ["", *"abcdef", "t_ms", "heap"], rows)


def reviews(file: Path, n: int, seed: int = 0) -> Path:
    """A CSV of `n` different reviews of about 40 characters, half of them praise; a word or two of
    each tell which.
    """
    generator = np.random.default_rng(seed)
    rows: dict[str, str] = {}  # text -> label
    while len(rows) < n:
        label = [*WORDS][len(rows) % 2]
        parts = [
            (
                f"{generator.choice(FILLERS)}，{generator.choice(THINGS)}{generator.choice(WORDS[label])}"
            ),
            (
                f"{generator.choice(FILLERS)}买的{generator.choice(THINGS)}，"
                f"{generator.integers(1, 500)}元"
            ),
            f"{generator.choice(THINGS)}和{generator.choice(THINGS)}都看过",
        ]
        rows["。".join(generator.permutation(parts))] = label
    return _write(file, ["text", "label"], [[text, label] for text, label in rows.items()])


def _write(file: Path, names: list[str], rows: list[list[str]]) -> Path:
    with file.open("w", encoding="utf-8", newline="") as opened:
        csv.writer(opened, lineterminator="\n").writerows([names, *rows])
    return file
