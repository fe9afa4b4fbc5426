"""Every command: its words, one line about it, and the class that runs it. Nothing is imported
before a command is chosen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module


@dataclass(frozen=True)
class CommandEntry:
    """A command, with its class as "MODULE:CLASS" in this package; or a noun, with its verbs.
    by_file: the class if --config FILE replaces the options."""

    name: str
    line: str
    home: str = ""
    verbs: tuple[CommandEntry, ...] = ()
    by_file: str = ""

    def load(self, words: Sequence[str] = ()) -> type:
        """The dataclass of the command, for these words behind it."""
        by_file = self.by_file and any(word.partition("=")[0] == "--config" for word in words)
        module, _, name = (self.by_file if by_file else self.home).partition(":")
        found: type = getattr(import_module(f"worldgym.cli.{module}"), name)
        return found


RUN = CommandEntry(
    "run",
    "merge runs, export their trials",
    verbs=(
        CommandEntry("merge", "join shards, or runs of other policies", "run_commands:Merge"),
        CommandEntry("export", "the trials as CSV or Parquet", "run_commands:Export"),
    ),
)
WORLD = CommandEntry(
    "world",
    "train, import, check, trust, serve worlds",
    verbs=(
        CommandEntry("train", "train codec and world model on episodes", "world_commands:Train"),
        CommandEntry(
            "distill", "teach a world to sample in 1 or 2 network calls", "world_commands:Distill"
        ),
        CommandEntry(
            "train-states",
            "a network that predicts the robot's state, for a world",
            "world_commands:TrainStates",
        ),
        CommandEntry(
            "import", "import a published WorldGym checkpoint", "world_commands:ImportWorld"
        ),
        CommandEntry("check", "does a world follow the protocol?", "world_commands:CheckWorld"),
        CommandEntry("trust", "can it be trusted? a colour per task", "trust_commands:Trust"),
        CommandEntry("serve", "serve a world over a websocket", "world_commands:ServeWorld"),
        CommandEntry(
            "train-inverse-dynamics",
            "train a model: actions from frames",
            "trust_commands:TrainInverseDynamics",
        ),
        CommandEntry(
            "fit-error-predictor",
            "fit P(verdict wrong) of a rollout",
            "trust_commands:FitErrorPredictor",
        ),
        CommandEntry(
            "calibrate",
            "how often world and judge err, from real rollouts",
            "calibration_commands:CalibrateWorld",
        ),
        CommandEntry(
            "validate-calibration",
            "test a calibration on left-out policies",
            "calibration_commands:ValidateCalibration",
        ),
        CommandEntry(
            "measure-motions",
            "which motions the world was trained on",
            "trust_commands:MeasureMotions",
        ),
        CommandEntry(
            "measure-familiarity",
            "which initial frames the world knows",
            "trust_commands:MeasureFamiliarity",
        ),
    ),
)
CODEC = CommandEntry(
    "codec",
    "import an autoencoder, fine-tune a decoder",
    verbs=(
        CommandEntry("import", "import a pretrained KL autoencoder", "codec_commands:ImportCodec"),
        CommandEntry(
            "fine-tune", "sharper frames from the same latents", "codec_commands:FineTune"
        ),
    ),
)
DATA = CommandEntry(
    "data",
    "inspect, convert and augment recorded episodes",
    verbs=(
        CommandEntry(
            "inspect", "contents of a dataset, and what is wrong with it", "data_commands:Inspect"
        ),
        CommandEntry("convert", "to an episode store, or to LeRobot v3.0", "data_commands:Convert"),
        CommandEntry("augment", "copy episodes with their frames edited", "data_commands:Augment"),
        CommandEntry(
            "conventions", "the registered action conventions", "data_commands:Conventions"
        ),
    ),
)
TASKS = CommandEntry(
    "tasks",
    "make tasks, edit them, find what breaks a policy",
    verbs=(
        CommandEntry("new", "one task from the first frame of each episode", "tasks_commands:New"),
        CommandEntry(
            "bridge17", "the published Bridge suite with your frames", "tasks_commands:Bridge17"
        ),
        CommandEntry(
            "edit", "an out-of-distribution suite of edited tasks", "tasks_commands:EditTasks"
        ),
        CommandEntry("stress", "the mildest edit that breaks a policy", "tasks_commands:Stress"),
    ),
)
POLICY = CommandEntry(
    "policy",
    "check a policy, serve one to other programs",
    verbs=(
        CommandEntry(
            "check", "shapes, determinism, conventions, latency", "policy_commands:CheckPolicy"
        ),
        CommandEntry(
            "serve", "serve one by openpi's or OpenVLA's protocol", "policy_commands:ServePolicy"
        ),
    ),
)
JUDGE = CommandEntry(
    "judge",
    "label videos, calibrate judges, judge runs and videos",
    verbs=(
        CommandEntry("label", "label videos by hand, in the browser", "judge_commands:LabelVideos"),
        CommandEntry("calibrate", "compare a judge with labels", "judge_commands:CalibrateJudge"),
        CommandEntry(
            "set-threshold", "choose its threshold by known truth", "judge_commands:SetThreshold"
        ),
        CommandEntry("rejudge", "judge a run again with another judge", "judge_commands:Rejudge"),
        CommandEntry(
            "prefer", "which of two policies did better, pairwise", "judge_commands:Prefer"
        ),
        CommandEntry("score", "judge videos from elsewhere", "judge_commands:Score"),
    ),
)
REFERENCE = CommandEntry(
    "reference",
    "the simulator whose truth is known (Meta-World)",
    verbs=(
        CommandEntry(
            "record", "record episodes of the reference tasks", "reference_commands:Record"
        ),
        CommandEntry(
            "record-panda", "a Panda and two cameras (robosuite)", "panda_commands:RecordPanda"
        ),
        CommandEntry(
            "evaluate", "evaluate policies in the simulator", "reference_commands:EvaluateReference"
        ),
        CommandEntry(
            "train-policies", "train a set of policies", "reference_commands:TrainPolicies"
        ),
        CommandEntry(
            "train-judge", "train a judge on simulator labels", "reference_commands:TrainJudge"
        ),
        CommandEntry(
            "validate", "replay held-out episodes in a world", "reference_commands:Validate"
        ),
        CommandEntry(
            "chain",
            "all stages to a new bundled world; resumes",
            "release_commands:Chain",
        ),
        CommandEntry(
            "mine-false-successes",
            "closed loops that only look like successes",
            "release_commands:MineFalseSuccesses",
        ),
        CommandEntry(
            "measure-crossings",
            "objects after a hand passed in front",
            "release_commands:MeasureCrossings",
        ),
        CommandEntry(
            "generate-replays",
            "videos of recorded actions, labelled",
            "release_commands:GenerateReplays",
        ),
        CommandEntry(
            "generate-rollouts",
            "closed loops of policies, labelled",
            "release_commands:GenerateRollouts",
        ),
        CommandEntry("bundle", "assemble the bundled demo", "release_commands:Bundle"),
        CommandEntry(
            "compare-release",
            "the bundled world against its released figures",
            "release_commands:CompareRelease",
        ),
    ),
)
SECTIONS: tuple[tuple[str, tuple[CommandEntry, ...]], ...] = (
    (
        "Evaluate a policy",
        (
            CommandEntry("demo", "the bundled policies in the bundled world", "run_commands:Demo"),
            CommandEntry(
                "evaluate",
                "roll out, judge, summarise, report",
                "run_commands:Evaluate",
                by_file="sweep_commands:Sweep",
            ),
            CommandEntry("plan", "how many trials are needed", "statistics_commands:Plan"),
        ),
    ),
    (
        "Look at results",
        (
            CommandEntry("view", "runs in the browser, also while they run", "web_commands:View"),
            CommandEntry("play", "steer a world by hand, in the browser", "web_commands:Play"),
            CommandEntry(
                "report", "write report and summary of a run again", "run_commands:Report"
            ),
            CommandEntry("compare", "is A better than B? ranking", "statistics_commands:Compare"),
            CommandEntry(
                "estimate",
                "the real rate from few real and many generated trials",
                "statistics_commands:Estimate",
            ),
            CommandEntry(
                "agreement",
                "rates of a world model against real ones",
                "statistics_commands:MeasureAgreement",
            ),
            RUN,
        ),
    ),
    ("Make a world", (WORLD, CODEC)),
    ("Work with data and tasks", (DATA, TASKS)),
    ("Policies and judges", (POLICY, JUDGE)),
    ("The reference world", (REFERENCE,)),
)


def entries() -> list[CommandEntry]:
    """The words that may stand first, in the order of the help."""
    return [entry for _, members in SECTIONS for entry in members]


def commands() -> Iterator[tuple[str, CommandEntry]]:
    """Every command with all its words: "judge label"."""
    for entry in entries():
        yield from [(f"{entry.name} {verb.name}", verb) for verb in entry.verbs] or [
            (entry.name, entry)
        ]
