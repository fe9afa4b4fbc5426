"""Which frames of a video a judge looks at, and the pictures it is sent. Every verdict says which
they were.

"first"  "last"  "first+last"      those frames
"even:8"                           8 frames evenly spaced from the first to the last
"every:3"                          every 3rd frame from the first on, and the last (the paper: every
                                   3rd, at 256 pixels); of a longer video as many as the judge may
                                   be sent, evenly spaced from first to last
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from worldgym.episodes.subsample import evenly_spaced
from worldgym.errors import InputError
from worldgym.servers.picture_bytes import SentPicture, picture
from worldgym.types import Frames

RULE = re.compile(r"first|last|first\+last|even:[1-9]\d{0,3}|every:[1-9]\d{0,3}")


def check_rule(rule: str) -> str:
    """The rule as it is. InputError if it is none."""
    if not RULE.fullmatch(rule):
        raise InputError(
            f'frames is "{rule}"; write first, last, first+last, even:N or every:N with N from 1 '
            f"to 9999"
        )
    return rule


def choose_frames(rule: str, count: int, most: int) -> tuple[int, ...]:
    """Indices in order, of `count` >= 1 frames; at most `most`."""
    name, _, number = check_rule(rule).partition(":")
    if name == "even":
        chosen = {*evenly_spaced(count, int(number))} if int(number) > 1 else {count - 1}
    elif name == "every":
        chosen = {*range(0, count, int(number)), count - 1}
    else:
        chosen = {0 if part == "first" else count - 1 for part in name.split("+")}
    return tuple(sorted(chosen if len(chosen) <= most else evenly_spaced(count, most)))


def check_most(rule: str, most: int) -> None:
    """InputError for a bound that says nothing, or that the rule exceeds in every video."""
    name, _, number = check_rule(rule).partition(":")
    least = int(number) if name == "even" else 2 if name in ("every", "first+last") else 1
    if not least <= most:
        raise InputError(
            f'max_frames is {most}, but the rule "{rule}" picks {least} frames; give {least} or '
            f"more, or choose fewer"
        )


def pictures(
    frames: Frames, chosen: Sequence[int], size: int | None, name: str = ""
) -> tuple[SentPicture, ...]:
    """Each labelled with its place in the video: "frame 12 of 40", counted from 0. name: put
    before, to tell two videos apart."""
    prefix = f"{name}, " if name else ""
    return tuple(
        picture(frames[t], size, f"{prefix}frame {t} of {len(frames) - 1}") for t in chosen
    )
