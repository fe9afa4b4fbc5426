"""Names in files of earlier versions => current names. Only this module knows the old ones; code
that opens such a file sees the new ones.

Files are never rewritten, so a checkpoint keeps its fingerprint and logs keep naming it.

checkpoint    config.json: keys, and the kind               `migrated_config`
folders       what lies beside a world or in a run          `found_beside`
trust         error-predictor.json, signals.jsonl           `migrated_predictor`, `migrated_signals`
summary       summary.json of a run                         `migrated_summary`
stages        of `worldgym reference chain`: their commands `migrated_command`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CONFIG_KEYS = {"start_frame": "initial_frame"}  # at any depth
CHECKPOINT_KINDS = {"gauge": "inverse-dynamics"}
BESIDE = {  # new => old
    "inverse-dynamics": "gauge",
    "error-predictor.json": "probe.json",
    "trust.json": "check.json",
}
PREDICTOR_KIND = {"worldgym-probe": "error-predictor"}
TRUST_KEYS = {"gauge": "inverse_dynamics", "doubt": "p_wrong"}  # at any depth
SIGNALS = {
    "hesitation": "log_odds_against",
    "shortfall": "progress_mismatch",
    "lonely": "disagreeing_trials",
    "nearest": "neighbour_distance",
    "flaw": "codec_error",
    "inconsistent": "action_error",
    "astray": "mean_action_error",
    "spread": "latent_variation",
    "wavering": "judge_variation",
}
COUNTS = {"frames": "initial_frames", "trial_frames": "trial_initial_frames"}  # at any depth
KEPT = {"succeeded", "config"}  # numbers by task, and what others have named
VERBS = {
    "check-calibration": "validate-calibration",
    "check-crossings": "measure-crossings",
}
_OLD_MODEL, _MODEL = "gauge-", "inverse-dynamics-"  # begins a name, before the fingerprint


def renamed_keys(data: Any, names: Mapping[str, str]) -> Any:
    """JSON data with the keys of its objects renamed at any depth; values stay as they are."""
    if isinstance(data, Mapping):
        return {names.get(key, key): renamed_keys(value, names) for key, value in data.items()}
    if isinstance(data, list):
        return [renamed_keys(value, names) for value in data]
    return data


def migrated_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """config.json of a checkpoint."""
    found: dict[str, Any] = renamed_keys(config, CONFIG_KEYS)
    return _of_kind(found, CHECKPOINT_KINDS)


def found_beside(name: str, *folders: Path) -> Path | None:
    """The file or folder of this name in the first folder that has it; or, where none has, what
    stands in one of them under its old name."""
    names = [one for one in (name, BESIDE.get(name)) if one is not None]
    places = [folder / one for one in names for folder in folders]
    return next((place for place in places if place.exists()), None)


def migrated_predictor(data: Mapping[str, Any]) -> dict[str, Any]:
    """error-predictor.json as an object."""
    found: dict[str, Any] = renamed_keys(data, TRUST_KEYS)
    if isinstance(found.get("facts"), dict):
        found["facts"] = _migrated_model(found["facts"])
    if isinstance(found.get("signals"), list):
        found["signals"] = [SIGNALS.get(str(name), name) for name in found["signals"]]
    return _of_kind(found, PREDICTOR_KIND)


def migrated_signals(line: Mapping[str, Any]) -> dict[str, Any]:
    """A line of signals.jsonl as an object: the identity, or the signals of a trial."""
    found: dict[str, Any] = renamed_keys(line, TRUST_KEYS | SIGNALS)
    if isinstance(found.get("measured_with"), dict):
        found["measured_with"] = _migrated_model(found["measured_with"])
    return found


def migrated_summary(data: Any) -> Any:
    """summary.json, or a part of it. Tasks and policies may have any name, so a key is renamed only
    where it counts, and never in objects whose keys are the user's own."""
    if isinstance(data, list):
        return [migrated_summary(value) for value in data]
    if not isinstance(data, Mapping):
        return data
    found = {
        COUNTS.get(key, key) if isinstance(value, int) else key: value
        if key in KEPT
        else migrated_summary(value)
        for key, value in data.items()
    }
    if {"task", "first", "last"} == set(found):  # a row of absent trials
        found["initial_frame"] = found.pop("task")
    return found


def migrated_command(words: Sequence[str]) -> list[str]:
    """The words of a command that a stage recorded."""
    return [VERBS.get(word, word) for word in words]


def _of_kind(data: dict[str, Any], kinds: Mapping[str, str]) -> dict[str, Any]:
    return {**data, "kind": kinds.get(str(data["kind"]), data["kind"])} if "kind" in data else data


def _migrated_model(facts: Mapping[str, Any]) -> dict[str, Any]:
    """`inverse_dynamics` names a model, which earlier versions called gauge-FINGERPRINT."""
    name = facts.get("inverse_dynamics")
    if not isinstance(name, str) or not name.startswith(_OLD_MODEL):
        return dict(facts)
    return {**facts, "inverse_dynamics": _MODEL + name.removeprefix(_OLD_MODEL)}
