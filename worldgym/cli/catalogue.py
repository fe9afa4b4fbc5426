"""Every command: its words, one line about it, and the class that runs it. Nothing is imported
before a command is chosen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module


@dataclass(frozen=True)
class Entry:
    """A command, with its class as "MODULE:CLASS" in this package; or a noun, with its verbs.
    by_file: the class if --config FILE replaces the options."""

    name: str
    line: str
    home: str = ""
    verbs: tuple[Entry, ...] = ()
    by_file: str = ""

    def load(self, words: Sequence[str] = ()) -> type:
        """The dataclass of the command, for these words behind it."""
        by_file = self.by_file and any(word.partition("=")[0] == "--config" for word in words)
        module, _, name = (self.by_file if by_file else self.home).partition(":")
        found: type = getattr(import_module(f"worldgym.cli.{module}"), name)
        return found


RUN = Entry(
    "run",
    "merge runs, export their trials",
    verbs=(
        Entry("merge", "join shards, or runs of other policies", "run_commands:Merge"),
        Entry("export", "the trials as CSV or Parquet", "run_commands:Export"),
    ),
)
WORLD = Entry(
    "world",
    "train, import, check, trust, serve worlds",
    verbs=(
        Entry("train", "train codec and world model on episodes", "world_commands:Train"),
        Entry(
            "distill", "teach a world to sample in 1 or 2 network calls", "world_commands:Distill"
        ),
        Entry(
            "train-states",
            "a network that predicts the robot's state, for a world",
            "world_commands:TrainStates",
        ),
        Entry("import", "import a published WorldGym checkpoint", "world_commands:Import"),
        Entry("check", "does a world follow the protocol?", "world_commands:Check"),
        Entry("trust", "can it be trusted? a colour per task", "trust_commands:Trust"),
        Entry("serve", "serve a world over a websocket", "world_commands:Serve"),
        Entry(
            "train-inverse-dynamics",
            "train a model: actions from frames",
            "trust_commands:TrainInverseDynamics",
        ),
        Entry(
            "fit-error-predictor",
            "fit P(verdict wrong) of a rollout",
            "trust_commands:FitErrorPredictor",
        ),
        Entry(
            "calibrate",
            "how often world and judge err, from real rollouts",
            "calibration_commands:Calibrate",
        ),
        Entry(
            "validate-calibration",
            "test a calibration on left-out policies",
            "calibration_commands:ValidateCalibration",
        ),
        Entry(
            "measure-motions",
            "which motions the world was trained on",
            "trust_commands:MeasureMotions",
        ),
        Entry(
            "measure-familiarity",
            "which initial frames the world knows",
            "trust_commands:MeasureFamiliarity",
        ),
    ),
)
CODEC = Entry(
    "codec",
    "import an autoencoder, fine-tune a decoder",
    verbs=(
        Entry("import", "import a pretrained KL autoencoder", "codec_commands:Import"),
        Entry("fine-tune", "sharper frames from the same latents", "codec_commands:FineTune"),
    ),
)
DATA = Entry(
    "data",
    "inspect, convert and augment recorded episodes",
    verbs=(
        Entry(
            "inspect", "contents of a dataset, and what is wrong with it", "data_commands:Inspect"
        ),
        Entry("convert", "to an episode store, or to LeRobot v3.0", "data_commands:Convert"),
        Entry("augment", "copy episodes with their frames edited", "data_commands:Augment"),
        Entry("conventions", "the registered action conventions", "data_commands:Conventions"),
    ),
)
TASKS = Entry(
    "tasks",
    "make tasks, edit them, find what breaks a policy",
    verbs=(
        Entry("new", "one task from the first frame of each episode", "tasks_commands:New"),
        Entry("bridge17", "the published Bridge suite with your frames", "tasks_commands:Bridge17"),
        Entry("edit", "an out-of-distribution suite of edited tasks", "tasks_commands:Edit"),
        Entry("stress", "the mildest edit that breaks a policy", "tasks_commands:Stress"),
    ),
)
POLICY = Entry(
    "policy",
    "check a policy, serve one to other programs",
    verbs=(
        Entry("check", "shapes, determinism, conventions, latency", "policy_commands:Check"),
        Entry("serve", "serve one by openpi's or OpenVLA's protocol", "policy_commands:Serve"),
    ),
)
JUDGE = Entry(
    "judge",
    "label videos, calibrate judges, judge runs and videos",
    verbs=(
        Entry("label", "label videos by hand, in the browser", "judge_commands:Label"),
        Entry("calibrate", "compare a judge with labels", "judge_commands:Calibrate"),
        Entry(
            "set-threshold", "choose its threshold by known truth", "judge_commands:SetThreshold"
        ),
        Entry("rejudge", "judge a run again with another judge", "judge_commands:Rejudge"),
        Entry("prefer", "which of two policies did better, pairwise", "judge_commands:Prefer"),
        Entry("score", "judge videos from elsewhere", "judge_commands:Score"),
    ),
)
REFERENCE = Entry(
    "reference",
    "the simulator whose truth is known (Meta-World)",
    verbs=(
        Entry("record", "record episodes of the reference tasks", "reference_commands:Record"),
        Entry("record-panda", "a Panda and two cameras (robosuite)", "panda_commands:RecordPanda"),
        Entry("evaluate", "evaluate policies in the simulator", "reference_commands:Evaluate"),
        Entry("train-policies", "train a set of policies", "reference_commands:TrainPolicies"),
        Entry("train-judge", "train a judge on simulator labels", "reference_commands:TrainJudge"),
        Entry("validate", "replay held-out episodes in a world", "reference_commands:Validate"),
        Entry(
            "chain",
            "all stages to a new bundled world; resumes",
            "release_commands:Chain",
        ),
        Entry(
            "mine-false-successes",
            "closed loops that only look like successes",
            "release_commands:MineFalseSuccesses",
        ),
        Entry(
            "measure-crossings",
            "objects after a hand passed in front",
            "release_commands:MeasureCrossings",
        ),
        Entry(
            "generate-replays",
            "videos of recorded actions, labelled",
            "release_commands:GenerateReplays",
        ),
        Entry(
            "generate-rollouts",
            "closed loops of policies, labelled",
            "release_commands:GenerateRollouts",
        ),
        Entry("bundle", "assemble the bundled demo", "release_commands:Bundle"),
        Entry(
            "compare-release",
            "the bundled world against its released figures",
            "release_commands:CompareRelease",
        ),
    ),
)
SECTIONS: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    (
        "Evaluate a policy",
        (
            Entry("demo", "the bundled policies in the bundled world", "run_commands:Demo"),
            Entry(
                "evaluate",
                "roll out, judge, summarise, report",
                "run_commands:Evaluate",
                by_file="sweep_commands:Sweep",
            ),
            Entry("plan", "how many trials are needed", "statistics_commands:Plan"),
        ),
    ),
    (
        "Look at results",
        (
            Entry("view", "runs in the browser, also while they run", "web_commands:View"),
            Entry("play", "steer a world by hand, in the browser", "web_commands:Play"),
            Entry("report", "write report and summary of a run again", "run_commands:Report"),
            Entry("compare", "is A better than B? ranking", "statistics_commands:Compare"),
            Entry(
                "estimate",
                "the real rate from few real and many generated trials",
                "statistics_commands:Estimate",
            ),
            Entry(
                "agreement",
                "rates of a world model against real ones",
                "statistics_commands:Agreement",
            ),
            RUN,
        ),
    ),
    ("Make a world", (WORLD, CODEC)),
    ("Work with data and tasks", (DATA, TASKS)),
    ("Policies and judges", (POLICY, JUDGE)),
    ("The reference world", (REFERENCE,)),
)


def entries() -> list[Entry]:
    """The words that may stand first, in the order of the help."""
    return [entry for _, members in SECTIONS for entry in members]


def commands() -> Iterator[tuple[str, Entry]]:
    """Every command with all its words: "judge label"."""
    for entry in entries():
        yield from [(f"{entry.name} {verb.name}", verb) for verb in entry.verbs] or [
            (entry.name, entry)
        ]
