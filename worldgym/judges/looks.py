"""Which frames of a video a judge looks at, and the pictures it is sent. The choice is stated, never made on the way.

"first"  "last"  "first+last"      those frames
"even:8"                           8 frames evenly spaced from the first to the last
"every:3"                          every 3rd frame from the first on, and the last (the paper: every 3rd, at 256 pixels)
"""

from __future__ import annotations

import re

from worldgym.episodes.spread import spread
from worldgym.errors import InputError
from worldgym.servers.pictures import Picture, picture
from worldgym.types import Frames

RULE = re.compile(r"first|last|first\+last|even:[1-9]\d{0,3}|every:[1-9]\d{0,3}")


def check_rule(rule: str) -> str:
    """The rule as it is. InputError if it is none."""
    if not RULE.fullmatch(rule):
        raise InputError(f'frames is "{rule}"; write first, last, first+last, even:N or every:N with N from 1 to 9999')
    return rule


def choose_frames(rule: str, count: int, most: int) -> tuple[int, ...]:
    """Indices in order, of `count` >= 1 frames. InputError for more than `most`: a judge never thins out in silence."""
    name, _, number = check_rule(rule).partition(":")
    if name == "even":
        chosen = {*spread(count, int(number))} if int(number) > 1 else {count - 1}
    elif name == "every":
        chosen = {*range(0, count, int(number)), count - 1}
    else:
        chosen = {0 if part == "first" else count - 1 for part in name.split("+")}
    if len(chosen) > most:
        raise InputError(f'the rule "{rule}" picks {len(chosen)} of {count} frames, more than max_frames = {most}; choose fewer')
    return tuple(sorted(chosen))


def pictures(frames: Frames, looks: tuple[int, ...], size: int | None, name: str = "") -> tuple[Picture, ...]:
    """Each labelled with its place in the video: "frame 12 of 40", counted from 0. name: put before, to tell two videos apart."""
    prefix = f"{name}, " if name else ""
    return tuple(picture(frames[t], size, f"{prefix}frame {t} of {len(frames) - 1}") for t in looks)
