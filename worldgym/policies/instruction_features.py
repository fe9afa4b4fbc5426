"""Instructions as hashed n-gram counts: no vocabulary, no download, and unknown words still share
their letters."""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Sequence

import torch
from torch import Tensor


def ngrams(text: str) -> list[str]:
    """Words, pairs of words, and letter trigrams of every word between marks: "<op", "ope", ...,
    "en>"."""
    words = re.findall(r"[a-z0-9]+", text.lower())
    pairs = [f"{first} {second}" for first, second in itertools.pairwise(words)]
    letters = [f"<{word}>"[i : i + 3] for word in words for i in range(len(word))]
    return words + pairs + letters


def instruction_features(instructions: Sequence[str], buckets: int) -> Tensor:
    """float32 [B, buckets], each row of unit length (a text without a letter gives zeros). Same on
    every machine."""
    features = torch.zeros(len(instructions), buckets)
    for row, text in zip(features, instructions, strict=True):
        for gram in ngrams(text):
            row[zlib.crc32(gram.encode()) % buckets] += 1.0
    return torch.nn.functional.normalize(features, dim=1)
