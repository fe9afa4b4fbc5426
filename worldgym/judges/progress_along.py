"""Progress frame by frame, from a vision-language model in one further request per video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from worldgym.judges.rubric import Rubric
from worldgym.servers.answer_texts import answer_fields, percentage
from worldgym.servers.model_client import Answer, reading
from worldgym.types import Curve

ALONG = "along"  # name of its prompt


@dataclass(frozen=True)
class AskedCurve:
    """answers: that it cost, none where it was not asked for."""

    curve: Curve = ()
    answers: tuple[Answer, ...] = ()


def progress_rubric(frames: Sequence[int]) -> Rubric:
    """One field a frame, by its number in the video. The score is that of the last."""
    fields = {f"frame_{frame}": {"type": "integer"} for frame in frames}
    wording = f"The fields {', '.join(fields)} are the frames of these numbers."
    return Rubric(
        ALONG,
        fields,
        True,
        wording,
        # every field, so that one that cannot be read is asked for again
        lambda answer: [percentage(answer[name]) for name in fields][-1],
    )


def read_curve(answer: Answer, frames: Sequence[int], rubric: Rubric) -> Curve:
    """Progress at each frame; () where the model refused, was cut off or cannot be read."""

    def read(text: str) -> Curve:
        said = answer_fields(text, tuple(rubric.fields))
        return tuple((frame, percentage(said[f"frame_{frame}"]), None) for frame in frames)

    try:
        return reading(answer.reply, read)
    except ValueError:
        return ()
