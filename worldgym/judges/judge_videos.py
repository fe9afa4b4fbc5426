"""Judges videos from elsewhere: a list of mp4 files of any world or robot, each with its
instruction."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from worldgym.errors import BudgetSpent, InputError, JudgeStopped, SameFailure, at_least
from worldgym.io.files import write_atomic, write_json
from worldgym.io.json_form import to_json
from worldgym.io.jsonl import json_line
from worldgym.io.progress import progress
from worldgym.io.user_code import Failure, attempt
from worldgym.io.video import clock_notes, read_film, upright_size, video_facts
from worldgym.judges.judge_protocol import Judge, Scaled
from worldgym.judges.judging import charge, judge_each, note_failure, paid
from worldgym.judges.labels import Clip, prepare_clips, read_clips
from worldgym.judges.video_frames import picture_notes, rate_notes, sampled
from worldgym.stats.failure_reasons import FailureReasons, count_reasons
from worldgym.stats.repeated_failures import RepeatedFailures
from worldgym.stats.video_rates import InstructionCounts, VideoCounts, VideosSummary, video_counts
from worldgym.types import Rollout, Verdict

VERDICTS_NAME = "verdicts.jsonl"
SUMMARY_NAME = "summary.json"
SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")


@dataclass(frozen=True)
class VideosConfig:
    """sources: videos, folders of videos, or lists of them (.jsonl: {"video", "instruction"} a
    line).

    instruction: of every video that comes without one.   fps: frames per second to look at, None =
    all that a video has."""

    sources: tuple[Path, ...]
    out: Path
    instruction: str = ""
    fps: float | None = None


Judged = tuple[
    Clip, dict[str, Any], Verdict | Failure
]  # the video, what was looked at of it, what came out


def judge_videos(config: VideosConfig, judge: Judge) -> VideosSummary:
    """Writes OUT/verdicts.jsonl, one line per video, and OUT/summary.json, and returns the latter.

    What a model answered is kept, so a second start pays for nothing twice. InputError for a source
    that holds no video; SameFailure and JudgeStopped, after writing what there is, where there is
    nothing more."""
    if config.fps is not None:
        at_least("--fps", config.fps)
        if config.fps == 0 or not math.isfinite(config.fps):
            raise InputError(f"--fps is {config.fps:g}: give a number of frames per second above 0")
    clips = find_clips(config.sources, config.instruction)
    prepare_clips(judge, clips)
    charge(judge, config.out)
    found = list[Judged]()
    try:
        for judged in progress(_judged(config, judge, clips), len(clips), "judging", "video"):
            found.append(judged)
    except (BudgetSpent, SameFailure, JudgeStopped) as end:
        found += [(clip, {}, Failure(f"not judged: {end}", end)) for clip in clips[len(found) :]]
        summary = _write(config, judge, found)
        if isinstance(end, BudgetSpent):  # the same command with a higher budget continues
            return summary
        raise
    return _write(config, judge, found)


def find_clips(sources: Sequence[Path], instruction: str) -> list[Clip]:
    """Every video once with each instruction that a list gives it, or else with this one, in order.
    InputError where there is none, or one has no instruction."""
    found = [(_is_list(source), _clips_of(source, instruction)) for source in sources]
    listed = {clip.video.resolve() for is_list, clips in found if is_list for clip in clips}
    clips = {
        (clip.video.resolve(), clip.instruction): clip
        for is_list, several in found
        for clip in several
        if is_list or clip.video.resolve() not in listed  # a list says more of a video
    }
    if nameless := next(
        (clip.video for clip in clips.values() if not clip.instruction.strip()), None
    ):
        raise InputError(
            f"{nameless}: comes without an instruction; give --instruction, what the robot was "
            f"asked to do"
        )
    if not clips:
        raise InputError(
            f"{', '.join(map(str, sources))}: no video; give files, folders or a list (.jsonl)"
        )
    return list(clips.values())


def _is_list(source: Path) -> bool:
    return source.suffix == ".jsonl" and not source.is_dir()


def _clips_of(source: Path, instruction: str) -> list[Clip]:
    """The videos of one source."""
    if _is_list(source):
        return read_clips(source, instruction)
    if not source.exists():
        raise InputError(
            f"{source}: there is no such video; give files, folders or a list (.jsonl)"
        )
    if not source.is_dir():
        return [Clip(source, instruction)]
    inside = [path for path in sorted(source.rglob("*")) if path.suffix.lower() in SUFFIXES]
    if not inside:
        raise InputError(
            f"{source}: holds no video ({', '.join(SUFFIXES)}); give files, a list or "
            f"another folder"
        )
    return [Clip(path, instruction) for path in inside]


def _judged(config: VideosConfig, judge: Judge, clips: Sequence[Clip]) -> Iterator[Judged]:
    """As many videos in memory at once as are judged at once."""
    repeated = RepeatedFailures()
    for start in range(0, len(clips), judge.concurrency):
        batch = clips[start : start + judge.concurrency]
        read = [attempt(partial(_read, clip, config.fps, judge)) for clip in batch]
        verdicts = judge_each(judge, [one[0] for one in read if not isinstance(one, Failure)])
        for clip, one in zip(batch, read, strict=True):
            verdict, facts = (one, {}) if isinstance(one, Failure) else (next(verdicts), one[1])
            yield clip, facts, verdict
            note_failure(repeated, verdict)
        list(verdicts)  # raises what ended the judging, if anything did


def _read(clip: Clip, fps: float | None, judge: Judge) -> tuple[Rollout, dict[str, Any]]:
    """The video at the judge's size and at so many frames per second, and what that was."""
    facts = video_facts(clip.video)
    size = upright_size(clip.video)
    film = read_film(clip.video, _shown_at(clip, size, judge))
    drawn = film.frames[:: clip.stride]
    times = None if film.times is None else film.times[:: clip.stride]
    rate = None if facts.fps is None else facts.fps / clip.stride
    chosen = [number * clip.stride for number in sampled(len(drawn), rate, fps, times)]
    looked = {
        "size": list(size),
        "judged_at": list(film.frames.shape[1:3]),
        "frames": len(film.frames),
        "looked_at": len(chosen),
        **({} if len(chosen) == len(film.frames) else {"numbers": chosen}),
        "fps": facts.fps,
        "notes": [
            *film.notes,
            *clock_notes(film.times),
            *rate_notes(rate, fps),
            *picture_notes(film.frames),
        ],
    }
    return clip.rollout(film.frames[chosen]), looked


def _shown_at(clip: Clip, size: tuple[int, int], judge: Judge) -> tuple[int, int] | None:
    """(height, width) at which a judge wants a video of this size, whose views stand side by side;
    None = its own."""
    views = len(clip.views)
    if not isinstance(judge, Scaled) or size[1] % views:
        return None
    height, width = judge.size_for((size[0], size[1] // views))
    return height, width * views


def _write(config: VideosConfig, judge: Judge, found: Sequence[Judged]) -> VideosSummary:
    write_atomic(config.out / VERDICTS_NAME, b"".join(_line(*one) for one in found))
    instructions = dict.fromkeys(clip.instruction for clip, _, _ in found)
    verdicts = [verdict for _, _, verdict in found]
    broken = [v.reason for v in verdicts if isinstance(v, Failure)]
    unscored = [v.reason for v in verdicts if isinstance(v, Verdict) and v.unscored]
    by_instruction = {
        text: _counts([v for clip, _, v in found if clip.instruction == text])
        for text in instructions
    }
    summary = VideosSummary(
        **vars(_counts(verdicts)),
        reasons=FailureReasons(count_reasons(broken), count_reasons(unscored)),
        instructions=tuple(
            InstructionCounts(**vars(counts), instruction=text)
            for text, counts in by_instruction.items()
        ),
        cost_usd=math.fsum(v.cost_usd for v in verdicts if isinstance(v, Verdict)),
        paid_usd=math.fsum(paid(v) if isinstance(v, Failure) else v.paid_usd for v in verdicts),
        judge=judge.name,
        settings=judge.settings,
        notes=count_reasons(note for _, facts, _ in found for note in facts.get("notes", ())),
    )
    write_json(config.out / SUMMARY_NAME, to_json(summary))
    return summary


def _line(clip: Clip, facts: dict[str, Any], verdict: Verdict | Failure) -> bytes:
    said = (
        verdict.to_json()
        if isinstance(verdict, Failure)
        else asdict(replace(verdict, seconds=round(verdict.seconds, 3)))
    )
    return json_line({"video": str(clip.video), "instruction": clip.instruction, **facts, **said})


def _counts(verdicts: Sequence[Verdict | Failure]) -> VideoCounts:
    return video_counts(
        [v.score for v in verdicts if isinstance(v, Verdict) and v.score is not None],
        sum(isinstance(v, Verdict) and v.unscored for v in verdicts),
        sum(isinstance(v, Failure) for v in verdicts),
    )
