"""`worldgym data convert`: any readable dataset => an episode store or a LeRobot dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from worldgym.actions.conventions import convention, convention_of
from worldgym.actions.convert import convert_and_measure
from worldgym.actions.embodiment import NO_REACH, Reach
from worldgym.episodes.action_statistics import write_statistics
from worldgym.episodes.clipping import ClippedCount
from worldgym.episodes.conversion_result import Converted
from worldgym.episodes.extras import with_expert
from worldgym.episodes.file_names import file_names
from worldgym.episodes.identity import Origins
from worldgym.episodes.quality import (
    CHANGES,
    REMEDIES,
    QualityIssue,
    quality_issues,
    several_texts,
)
from worldgym.episodes.readers.lerobot_counts import contradictions
from worldgym.episodes.recording import Recording, Source, SourceOptions
from worldgym.episodes.resample import recorded_rate, resampled
from worldgym.episodes.several_views import cameras_read
from worldgym.episodes.sources import open_source
from worldgym.episodes.store import EpisodeStore, episode_digest
from worldgym.episodes.time_rule import TimeRule, to_episode
from worldgym.episodes.writers.lerobot_info import state_form
from worldgym.episodes.writers.lerobot_writer import LeRobotWriter
from worldgym.errors import InputError, WorldGymError, at_least
from worldgym.io.output_folder import check_apart
from worldgym.io.progress import progress
from worldgym.types import ActionSpec, Episode

FORMS = ("worldgym", "lerobot")


@dataclass(frozen=True)
class ConvertRequest:
    """to: one of FORMS.   target: name of the convention that actions are converted to, "" = as
    they are.

    fps: rate to convert to, None = as recorded.   limit: at most this many episodes, 0 = all.
    strict: stop at the first episode that is broken or looks wrong, at metadata that contradict
    each other, and where more than `most_clipped` of an episode's actions lie beyond the bounds of
    the target.
    """

    source: Path
    out: Path
    to: str = "worldgym"
    options: SourceOptions = field(default_factory=SourceOptions)
    rule: TimeRule = field(default_factory=TimeRule)
    target: str = ""
    limit: int = 0
    strict: bool = False
    fps: float | None = None
    most_clipped: float = 0.01


def convert_dataset(request: ConvertRequest) -> Converted:
    """Any size of set fits. A store is resumed; a LeRobot set is written whole or not at all."""
    _check(request)
    check_apart(request.out, request.source)
    source = open_source(request.source, request.options)
    if request.strict and (found := contradictions(request.source)):
        raise InputError(f"{request.source}: {found[0]}; fix its metadata, or leave --strict out")
    change = _Change.of(source, request)
    names = [listed.name for listed in source.listing()][: request.limit or None]
    read = cameras_read(source)
    others = tuple(camera for camera in source.cameras if camera not in read)
    done = Converted(cameras=read, left_out=others)
    writer = _Writer(request)
    try:
        for name, safe in progress(
            list(zip(names, file_names(names), strict=True)), len(names), "converting", "episode"
        ):
            _convert_one(source, (name, safe), change, writer, done)
    except BaseException:
        writer.abandon()
        raise
    if not done.written and not done.kept:
        writer.abandon()
        reason = next(iter(done.skipped.values()), "it lists none")
        raise InputError(f"{request.source}: no episode could be converted ({reason})")
    writer.finish()
    return done


def _check(request: ConvertRequest) -> None:
    if request.to not in FORMS:
        raise InputError(f'no format "{request.to}" to write: choose {" or ".join(FORMS)}')
    if not 0.0 <= request.most_clipped <= 1.0:
        raise InputError(f"--most-clipped is {request.most_clipped:g}: give a share from 0 to 1")
    at_least("--limit", request.limit)
    if request.fps is not None and not 0.0 < request.fps < float("inf"):
        raise InputError(f"{request.fps:g} frames per second are no rate; give a number above 0")


def _convert_one(
    source: Source, names: tuple[str, str], change: _Change, writer: _Writer, done: Converted
) -> None:
    """names: of the episode, and as that of a file."""
    (name, safe), strict = names, writer.request.strict
    if writer.origins.holds(name, safe):
        done.kept.append(name)
        return
    try:
        recording = source.read(name)
        issues = quality_issues(recording, source.spec)
        if strict and not writer.request.options.subtasks and several_texts(recording):
            issues.append(QualityIssue(CHANGES))
        if strict and issues:
            raise InputError(f"{recording.source}: {_stops(issues[0])}")
        episode, clipped = change.apply(recording)
        if strict:
            clipped.check(writer.request.most_clipped, recording.source)
        writer.check(episode)
    except WorldGymError as error:
        if strict:
            raise
        done.skipped[name] = str(error)
        return
    digest = episode_digest(episode)
    if writer.origins.holds_content(digest):
        done.kept.append(name)
        return
    if digest in writer.digests:
        if strict:
            raise InputError(
                f"{recording.source}: the same episode as {writer.digests[digest]}; leave one or "
                f"--strict out"
            )
        done.twice += 1
    writer.digests.setdefault(digest, name)
    writer.write(name, safe, episode)  # what cannot be written concerns every episode
    done.written.append(name)
    done.issues.update({issue.kind for issue in issues})
    done.notes.update(recording.facts.notes)
    done.notes.update(f"recorded without the view {view}" for view in episode.absent)
    done.clipped = done.clipped.plus(clipped)


def _stops(issue: QualityIssue) -> str:
    """Why a strict conversion ends, and what is to be done."""
    detail = f" ({issue.detail})" if issue.detail else ""
    remedy = REMEDIES.get(issue.kind, "leave the episode or --strict out")
    return f"{issue.kind}{detail}; {remedy}"


@dataclass(frozen=True)
class _Change:
    """From a recording to an episode in WorldGym's time, at the rate and in the convention asked
    for."""

    request: ConvertRequest
    spec: ActionSpec
    name: str

    @staticmethod
    def of(source: Source, request: ConvertRequest) -> _Change:
        if source.spec is None:
            raise InputError(
                f"{request.source}: its files do not say what the actions mean; name the "
                f"convention with "
                f"--convention NAME, or describe them in "
                f"a JSON file (see docs/quickstart-your-data.md)"
            )
        name = convention_of(source.spec) or ""
        if request.target and not name:
            raise InputError(
                f'its own action convention cannot be converted to "{request.target}"; leave '
                f"--to-convention out"
            )
        return _Change(request, source.spec, name)

    def apply(self, recording: Recording) -> tuple[Episode, ClippedCount]:
        if self.request.fps is not None:
            recording = replace(recording, fps=recorded_rate(recording, self.spec))
        episode = to_episode(recording, self.spec, self.request.rule)
        if self.request.fps is not None:
            episode = resampled(episode, self.request.fps, self.spec.rate_hz)
        if not self.request.target:
            return episode, ClippedCount()
        ways = self.name, self.request.target
        made = convert_and_measure(episode.actions, *ways)
        extras = with_expert(
            episode.extras, episode.actions, lambda told: convert_and_measure(told, *ways).actions
        )
        target = replace(convention(self.request.target), rate_hz=episode.spec.rate_hz)
        episode = replace(episode, actions=made.actions, spec=target, extras=extras)
        return episode, ClippedCount.of(made)


class _Writer:
    """Opens what is written to at the first episode, whose spec, rate and size all others must
    share."""

    def __init__(self, request: ConvertRequest) -> None:
        self.request = request
        defaults = _settings(ConvertRequest(request.source, request.out))
        store = request.out if request.to == "worldgym" else None
        self.origins = Origins(request.source, store, _settings(request), defaults)
        self.digests: dict[str, str] = {}
        self.first: Episode | None = None
        self.store: EpisodeStore | None = None
        self.lerobot: LeRobotWriter | None = None

    def check(self, episode: Episode) -> None:
        """InputError if it does not go with the first one."""
        before = self.origins.before
        if self.first is not None:
            others = _form(self.first)
        elif before:
            others = before.fps, before.frame_size()
        else:
            return
        if _form(episode) != others:
            (rate, size), (other_rate, other_size) = _form(episode), others
            raise InputError(
                f"{episode.source}: {size[1]}x{size[0]} at {rate:g} Hz, but the others are "
                f"{other_size[1]}x{other_size[0]} at {other_rate:g} Hz; give a size to resize to, "
                f"or convert it to its own folder"
            )
        if self.first and episode.spec != self.first.spec:
            raise InputError(
                f"{episode.source}: its actions mean something else than the others'; convert it "
                f"to its own folder"
            )
        if self.lerobot and self.first and state_form(episode) != state_form(self.first):
            raise InputError(
                f"{episode.source}: its states have another form than the others'; convert it to "
                f"its own folder"
            )

    def write(self, name: str, safe: str, episode: Episode) -> None:
        if self.first is None:
            self._open(episode)
            self.first = replace(
                episode,
                frames=episode.frames[:1],
                actions=episode.actions[:0],
                states=episode.states.only(slice(0, 1)) if episode.states else None,
                absent=(),
            )
        if self.store is not None:  # an empty store is false
            self.store.write(self.origins.place(name, safe), episode, self.origins.origin(name))
        elif self.lerobot is not None:
            self.lerobot.write(name, episode)

    def finish(self) -> None:
        if self.lerobot:
            self.lerobot.finish()
        else:
            write_statistics(EpisodeStore(self.request.out))

    def abandon(self) -> None:
        if self.lerobot:
            self.lerobot.abandon()

    def _open(self, episode: Episode) -> None:
        if self.request.to == "lerobot":
            self.lerobot = LeRobotWriter(self.request.out, episode.spec, episode.fps, episode.views)
        else:
            self.store = EpisodeStore.create(
                self.request.out, episode.spec, episode.fps, _reach(self.request), episode.views
            )
            self.origins.register()


def _settings(request: ConvertRequest) -> Mapping[str, object]:
    """What an episode of the store depends on, but for the files it was read from. "fps" once was
    the recorded rate."""
    options = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in vars(request.options).items()
    }
    options["subtasks"] = request.options.subtasks or "join"  # whether or not it was asked for
    return {**options, **vars(request.rule), "actions": request.target, "to_fps": request.fps}


def _form(episode: Episode) -> tuple[float, tuple[int, int]]:
    """What all episodes of one store share besides the meaning of actions: rate, and height and
    width of a frame."""
    height, width = episode.frames.shape[2:4]
    return episode.fps, (height, width)


def _reach(request: ConvertRequest) -> Reach:
    """That of the robot of a store whose actions stay as they are."""
    if not (request.source / "store.json").exists():
        return NO_REACH
    changed = request.target or request.options.convention or request.fps is not None
    if changed or request.rule != TimeRule():
        return NO_REACH
    return EpisodeStore(request.source).reach
