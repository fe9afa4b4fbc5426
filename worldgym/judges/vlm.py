"""A vision-language model as judge: frames, instruction and rubric in, several votes out (arXiv
2506.00613, section on rewards).

What is asked, of whom and how is written in a TOML file; prompts are files too. Every verdict
carries model, hash of the prompt, frames looked at, votes with their reasons, tokens and price.
"""

from __future__ import annotations

import hashlib
import json
import math
import string
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from worldgym.episodes.subsample import evenly_spaced
from worldgym.errors import InputError, WorldGymError, pick
from worldgym.io.files import read_toml
from worldgym.io.records import from_mapping, located
from worldgym.judges.frame_selection import check_most, choose_frames, pictures
from worldgym.judges.progress_along import ALONG, AskedCurve, progress_rubric, read_curve
from worldgym.judges.rubric import KINDS, Rubric, rubric_for
from worldgym.judges.voting import combine_votes, read_vote
from worldgym.servers.model_client import ModelClient, Reading
from worldgym.servers.provider import Question, Server
from worldgym.servers.votes import Ledger, Price, default_cache
from worldgym.types import Rollout, Task, Verdict

MAX_FRAMES = 64  # pictures of a video that are sent unless the description says otherwise


@dataclass(frozen=True)
class VlmConfig:
    """votes: answers per video.   frames: a rule of `frame_selection`.   frame_size: pixels of the
    longer side, None = as recorded.

    views: cameras that are shown, side by side; () = the main one.
    max_frames: most pictures of a video; of a longer one, "every:N" becomes so many evenly spaced
    frames.
    rubric: a kind of `rubric`.   prompt: a file instead of the bundled one.   cache: folder of
    votes, None = `votes.default_cache`.   backwards: options in reverse order, for a test of
    robustness.
    curve: evenly spaced frames at which progress is asked, in one further question; 0 = none.
    """

    server: Server
    price: Price = field(default_factory=Price)
    votes: int = 5
    frames: str = "every:3"
    frame_size: int | None = 256
    max_frames: int = MAX_FRAMES
    rubric: str = "partial"
    prompt: Path | None = None
    cache: Path | None = None
    backwards: bool = False
    views: tuple[str, ...] = ()
    curve: int = 0

    def __post_init__(self) -> None:
        if self.curve != 0 and not 2 <= self.curve <= self.max_frames:
            raise InputError(f"curve is {self.curve}: give 0, or 2 to {self.max_frames} frames")
        check_most(self.frames, self.max_frames)
        pick("rubric", self.rubric, dict.fromkeys(KINDS))
        if not 1 <= self.votes <= 100:
            raise InputError(f"votes is {self.votes}; ask for 1 to 100")
        if self.frame_size is not None and not 16 <= self.frame_size <= 4096:
            raise InputError(f"frame_size is {self.frame_size}; give 16 to 4096 pixels")
        if len(set(self.views)) < len(self.views):
            raise InputError(f"views are {', '.join(self.views)}; name each camera once")

    @staticmethod
    def read(path: Path) -> VlmConfig:
        """The description in a TOML file; paths in it are relative to it. InputError names what is
        wrong, and where."""
        data = read_toml(path, "a judge is a checkpoint, a .toml or a .jsonl file")
        with located(path):
            config = from_mapping(VlmConfig, data, given={"backwards": False})
        beside = path.parent
        prompt = config.prompt and beside / config.prompt
        cache = config.cache and beside / config.cache
        return replace(config, prompt=prompt, cache=cache)

    def client(self, budget_usd: float | None, wait: Callable[[float], None]) -> ModelClient:
        """budget_usd: what may be paid in its life; None = no limit.   wait: sleeps between
        attempts."""
        cache = self.cache or default_cache()
        return ModelClient(self.server, cache, Ledger(self.price, budget_usd), wait)

    def thinned(self, count: int) -> str:
        """What to say about a video of `count` frames of which not all are shown that the rule
        picks; "" if they are."""
        picked, shown = (
            len(choose_frames(self.frames, count, most)) for most in (count, self.max_frames)
        )
        if picked == shown:
            return ""
        return (
            f'the judge is shown {shown} frames of {count}, evenly spaced: "{self.frames}" picks '
            f"{picked}, max_frames is {shown}"
        )

    def asking(self) -> dict[str, Any]:
        """How a model is asked, whatever it is asked. The server's address is no part of it: a
        model may move."""
        server = self.server
        sampling = {
            "temperature": server.temperature,
            "max_tokens": server.max_tokens,
            "seed": server.seed,
        }
        return {
            "provider": server.provider,
            "model": server.model,
            "sampling": {**sampling, "extra": dict(server.extra)},
            "votes": self.votes,
            "frames": self.frames,
            "frame_size": self.frame_size,
            **({} if self.max_frames == MAX_FRAMES else {"max_frames": self.max_frames}),
            **({"curve": self.curve} if self.curve else {}),
            **({"views": list(self.views)} if self.views else {}),
        }


class VlmJudge:
    """Behind the judge seam. Answers are cached on the disk, so what was bought once is never paid
    for again."""

    def __init__(
        self,
        config: VlmConfig,
        budget_usd: float | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """budget_usd: what may be paid in the life of this object; None = no limit.   wait: sleeps
        between attempts."""
        self.config = config
        kinds = ("partial", "success") if config.rubric == "partial" else (config.rubric,)
        self._prompts = {kind: read_prompt(kind, config.prompt) for kind in kinds}
        self._prompts |= {ALONG: read_prompt(ALONG)} if config.curve else {}
        settings = json.dumps(self.settings, sort_keys=True)
        self._name = f"vlm:{config.server.model}:{prompt_digest(settings)[:12]}"
        self.client = config.client(budget_usd, wait)

    def backwards(self) -> VlmJudge:
        """The same judge, asked with its options in reverse order. It pays from the same budget."""
        turned = VlmJudge(replace(self.config, backwards=not self.config.backwards))
        turned.client = self.client
        return turned

    @property
    def has_options(self) -> bool:
        """Whether its questions list options, which have an order."""
        return self.config.rubric != "progress"

    @property
    def name(self) -> str:
        """vlm:MODEL:12 digits that change with the prompt and with everything else that the answers
        depend on."""
        return self._name

    @property
    def concurrency(self) -> int:
        return self.config.server.concurrency

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "kind": "vlm",
            **self.config.asking(),
            "rubric": self.config.rubric,
            "backwards": self.config.backwards,
            "prompts": {kind: prompt_digest(prompt) for kind, prompt in self._prompts.items()},
        }

    def check(self, tasks: Sequence[Task]) -> None:
        """InputError for a task that it cannot be asked about, a prompt with a wrong placeholder,
        or answers that could not be kept. Says where it will look at fewer frames than its rule
        picks."""
        for task in tasks:
            rubric = rubric_for(self.config.rubric, task, self.config.backwards)
            filled(self._prompts[rubric.kind], task, rubric)
        self.client.check()
        if notice := self.config.thinned(max((task.steps for task in tasks), default=0) + 1):
            print(f"worldgym: {notice}", file=sys.stderr)

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the cameras that are shown to the model; () = the main one."""
        return self.config.views

    def size_for(self, size: tuple[int, int]) -> tuple[int, int]:
        """The video's own, or that of the pictures which are sent where these are smaller."""
        scale = min(1.0, (self.config.frame_size or max(size)) / max(size))
        return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))

    def charge(self, folder: Path, paid_usd: float) -> None:
        """Its budget is that of the run in this folder, whose payments are noted there."""
        self.client.ledger.keep(folder, paid_usd)

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        config = self.config
        if missing := [view for view in config.views if view not in rollout.views]:
            return Verdict(
                None,
                self.name,
                f"the video has no view {missing[0]}, only {', '.join(rollout.views)}",
            )
        rubric = rubric_for(self.config.rubric, task, self.config.backwards)
        chosen = choose_frames(config.frames, len(rollout.frames), config.max_frames)
        prompt = self._prompts[rubric.kind]
        shown = pictures(rollout.shown(config.views), chosen, config.frame_size)
        question = Question(filled(prompt, task, rubric), shown, rubric.schema)
        answers = self.client.ask(question, config.votes, Reading(rubric.read, rubric.reminder))
        votes = tuple(read_vote(answer, rubric) for answer in answers)
        decision = combine_votes(votes, rubric)
        along = self._along(rollout, task, math.fsum(answer.paid_usd for answer in answers))
        answers = [*answers, *along.answers]
        return Verdict(
            **vars(decision),
            judge=self.name,
            votes=votes,
            cost_usd=sum(answer.price_usd for answer in answers),
            paid_usd=sum(answer.paid_usd for answer in answers),
            provenance={
                "model": config.server.model,
                "served_as": sorted(
                    {answer.reply.model for answer in answers if answer.reply.model}
                ),
                "rubric": rubric.kind,
                "prompt": prompt_digest(prompt),
                "frames": list(chosen),
                "frame_size": config.frame_size,
            },
            curve=along.curve,
        )

    def _along(self, rollout: Rollout, task: Task, paid: float) -> AskedCurve:
        """paid: US dollars for the votes before, which count where this question breaks."""
        if not self.config.curve:
            return AskedCurve()
        frames = evenly_spaced(len(rollout.frames), self.config.curve)
        rubric = progress_rubric(frames)
        shown = pictures(rollout.shown(self.config.views), frames, self.config.frame_size)
        question = Question(filled(self._prompts[ALONG], task, rubric), shown, rubric.schema)
        try:
            (answer,) = self.client.ask(question, 1, Reading(rubric.read, rubric.reminder))
        except WorldGymError as error:
            error.paid_usd += paid
            raise
        return AskedCurve(read_curve(answer, frames, rubric), (answer,))


def read_prompt(kind: str, path: Path | None = None) -> str:
    """The bundled prompt of this kind, or the user's own."""
    if path is None:
        return (
            files("worldgym.judges").joinpath("prompts", f"{kind}.txt").read_text(encoding="utf-8")
        )
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: the prompt cannot be read ({error})") from error


def prompt_digest(text: str) -> str:
    """16 hexadecimal digits that identify a prompt in logs."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def filled(prompt: str, task: Task, rubric: Rubric) -> str:
    """$instruction, $criteria and $form replaced. InputError for an unknown name, or without the
    instruction."""
    template = string.Template(prompt)
    try:
        if "instruction" not in template.get_identifiers():
            raise InputError(
                "the prompt does not contain $instruction, so the model would not know the task; "
                "add it"
            )
        asked = (
            f"{task.instruction} (done when: {task.success})" if task.success else task.instruction
        )
        return template.substitute(instruction=asked, criteria=rubric.wording, form=rubric.form)
    except (KeyError, ValueError) as error:
        raise InputError(
            f"the prompt has a $ that is no placeholder ({error}); write $$ for a dollar sign"
        ) from None
