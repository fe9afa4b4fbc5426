"""`worldgym convert`: any data set that can be read => an episode store or a LeRobot data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from worldgym.actions.conventions import convention, convention_of
from worldgym.actions.convert import convert_actions
from worldgym.episodes.lerobot_writer import LeRobotWriter
from worldgym.episodes.recording import Source, SourceOptions, TimeRule, file_names, to_episode
from worldgym.episodes.sources import open_source
from worldgym.episodes.statistics import write_statistics
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError, WorldGymError, at_least
from worldgym.fields import first_difference
from worldgym.files import read_json, write_json
from worldgym.progress import progress
from worldgym.types import ActionSpec, Episode

FORMS = ("worldgym", "lerobot")


@dataclass(frozen=True)
class ConvertRequest:
    """to: one of FORMS.   target: name of the convention that actions are converted to, "" = as they are.

    limit: at most so many episodes, 0 = all.   strict: stop at the first broken episode instead of leaving it out.
    """

    source: Path
    out: Path
    to: str = "worldgym"
    options: SourceOptions = field(default_factory=SourceOptions)
    rule: TimeRule = field(default_factory=TimeRule)
    target: str = ""
    limit: int = 0
    strict: bool = False


@dataclass
class Converted:
    """written: names.   kept: names that were in the store before.   skipped: name => what was wrong."""

    written: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)


def convert(request: ConvertRequest) -> Converted:
    """Episode by episode, so any size of set fits. A store is resumed; a LeRobot set is written whole or not at all."""
    if request.to not in FORMS:
        raise InputError(f'no format "{request.to}" to write: choose {" or ".join(FORMS)}')
    at_least("--limit", request.limit)
    source = open_source(request.source, request.options)
    change = _change(source, request)
    _check_resumed(request)
    names = [listed.name for listed in source.listing()][: request.limit or None]
    done, writer = Converted(), _Writer(request, done_before=_names(request))
    try:
        for name, safe in progress(list(zip(names, file_names(names), strict=True)), len(names), "converting", "episode"):
            _convert_one(source, name, safe, change, writer, done)
    except BaseException:
        writer.abandon()
        raise
    if not done.written and not done.kept:
        writer.abandon()
        raise InputError(
            f"{request.source}: no episode could be converted ({next(iter(done.skipped.values()), 'it lists none')})"
        )
    writer.finish()
    return done


def _convert_one(source: Source, name: str, safe: str, change: Callable[..., Episode], writer: _Writer, done: Converted) -> None:
    if safe in writer.done_before:
        done.kept.append(name)
        return
    try:
        episode = change(source, name)
        writer.check(episode)
    except WorldGymError as error:
        if writer.request.strict:
            raise
        done.skipped[name] = str(error)
    else:  # what cannot be written concerns every episode
        writer.write(safe, episode)
        done.written.append(name)


def _change(source: Source, request: ConvertRequest) -> Callable[[Source, str], Episode]:
    """Reads an episode in WorldGym's time and in the convention asked for."""
    spec = source.spec
    if spec is None:
        raise InputError(
            f"{request.source}: nothing says what its actions mean; name them with --convention NAME, or describe them in a "
            f"JSON file (see docs/quickstart-your-data.md)"
        )
    name = convention_of(spec) or ""
    if request.target and not name:
        raise InputError(f'its own action convention cannot be converted to "{request.target}"; leave --actions out')

    def change(source: Source, episode_name: str) -> Episode:
        episode = to_episode(source.read(episode_name), spec, request.rule)
        if not request.target:
            return episode
        target = replace(convention(request.target), rate_hz=episode.spec.rate_hz)
        return replace(episode, actions=convert_actions(episode.actions, name, request.target), spec=target)

    return change


def _settings(request: ConvertRequest) -> dict[str, Any]:
    """What an episode of the store depends on, but for the files it was read from."""
    size = list(request.options.size) if request.options.size else None
    return {**asdict(request.options), "size": size, **asdict(request.rule), "actions": request.target}


def _made_with(request: ConvertRequest) -> dict[str, Any]:
    """OUT/convert.json: by data set the settings that its episodes were converted with."""
    path = request.out / "convert.json"
    return read_json(path, "a converted store") if request.to == "worldgym" and path.exists() else {}


def _check_resumed(request: ConvertRequest) -> None:
    found, settings = _made_with(request).get(str(request.source)), _settings(request)
    before = {**_settings(ConvertRequest(request.source, request.out)), **(found or {})}  # a store may be older than an option
    if found is not None and (difference := first_difference(before, settings)):
        raise InputError(
            f"{request.out} holds episodes of {request.source} converted otherwise: {difference}; choose another --out, or "
            f"remove it"
        )


def _names(request: ConvertRequest) -> frozenset[str]:
    """Episodes that the store holds already."""
    if request.to == "worldgym" and (request.out / "store.json").exists():
        return frozenset(info.name for info in EpisodeStore(request.out))
    return frozenset()


class _Writer:
    """Opens what is written to at the first episode, whose spec, rate and size all others must share."""

    def __init__(self, request: ConvertRequest, done_before: frozenset[str]) -> None:
        self.request, self.done_before = request, done_before
        self.first: tuple[ActionSpec, float, tuple[int, ...]] | None = None
        self.store: EpisodeStore | None = None
        self.lerobot: LeRobotWriter | None = None

    def check(self, episode: Episode) -> None:
        """InputError if it does not go with the first one."""
        form = _form(episode)
        if self.first is not None and form != self.first:
            (_, rate, size), (_, first_rate, first_size) = form, self.first
            raise InputError(
                f"{episode.source}: {size[1]}x{size[0]} at {rate:g} Hz, where the others are {first_size[1]}x{first_size[0]} at "
                f"{first_rate:g} Hz; give a size to resize to, or convert it to a folder of its own"
            )

    def write(self, name: str, episode: Episode) -> None:
        if self.first is None:
            self._open(episode)
            self.first = _form(episode)
        if self.store is not None:  # an empty store is false
            self.store.write(name, episode)
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
            self.lerobot = LeRobotWriter(self.request.out, episode.spec, episode.fps)
        else:
            self.store = EpisodeStore.create(self.request.out, episode.spec, episode.fps)
            made = {**_made_with(self.request), str(self.request.source): _settings(self.request)}
            write_json(self.request.out / "convert.json", made)


def _form(episode: Episode) -> tuple[ActionSpec, float, tuple[int, ...]]:
    """What all episodes of one store share: what actions mean, rate, and form of a frame."""
    return episode.spec, episode.fps, episode.frames.shape[1:]
