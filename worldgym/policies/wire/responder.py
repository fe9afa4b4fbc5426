"""The answering side, whatever the protocol: one of our policies, asked one observation at a time.

Our own client first has a trial begun, and gets a token for the policy's state; each answer brings
the token of the next state. Old tokens stay good, so a question may be asked again. Other clients
send no token: they are served by policies without memory. A trial begins with its initial frame
alone; each question carries what the policy needs."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from worldgym.policies.policy_protocol import Observation, Policy
from worldgym.policies.wire.family import OWN, Family
from worldgym.policies.wire.request_mapping import MAX_TEXT, observation_of, own_part
from worldgym.policies.wire.served_policy import Offer
from worldgym.types import Task, Trial
from worldgym.wire.kept_states import KeptStates
from worldgym.wire.wire_arrays import Malformed

# kept; the one that was not used for longest is forgotten first, and whoever asks for it is told
MAX_STATES = 1024


class Responder:
    """One request after the other, for any number of connections: a policy need not support
    concurrent calls."""

    def __init__(self, policy: Policy[Any], family: Family, fingerprint: str = "") -> None:
        self.offer = Offer(policy.name, policy.spec, policy.chunk, fingerprint, policy.needs)
        self._policy = policy
        self._begin_family = family
        self._family = family.carrying(policy.needs)
        self._states = KeptStates[Any](MAX_STATES)
        self._remembers: bool | None = None  # not known before a trial has begun
        self._lock = threading.Lock()

    def introduction(self) -> dict[str, Any]:
        """What is said before the first question."""
        return self.offer.to_message()

    def answer(self, request: Any) -> dict[str, Any]:
        """actions float32 [h, A] and the next state's token; of a beginning trial the token alone.

        Malformed for a request that is none; whatever the policy raises.
        """
        own = own_part(request)
        observation = observation_of(
            self._begin_family if "begin" in own else self._family, request
        )
        with self._lock:
            if "begin" in own:
                state = self._begin(_trial(own["begin"], observation))
                return {OWN: {"state": self._kept(state)}}
            states, actions = self._policy.act([self._state(own, observation)], [observation])
            if isinstance(token := own.get("state"), str):
                self._states.spent(token)
            return {"actions": actions[0], OWN: {"state": self._kept(states[0])}}

    def _begin(self, trial: Trial) -> Any:
        (state,) = self._policy.reset([trial])
        self._remembers = self._remembers or state is not None
        return state

    def _state(self, own: Mapping[str, Any], observation: Observation) -> Any:
        token = own.get("state")
        if token is None:
            if self._remembers is None:
                self._begin(_trial({}, observation))
            if self._remembers:
                raise Malformed(
                    "this policy remembers its trial, but the question names no state, as "
                    "WorldGym's own client does"
                )
            return None
        if not isinstance(token, str) or token not in self._states:
            raise Malformed(
                "the state of this trial is not known here (the server was restarted, or kept too "
                "many)"
            )
        return self._states[token]

    def _kept(self, state: Any) -> str | None:
        return None if state is None else self._states.keep(state)


def _trial(begin: Any, observation: Observation) -> Trial:
    """The trial as far as it travels: name, group, steps, initial frame, instruction, and what its
    seed derives from.

    nominal: name of the unedited twin, None where there is none.
    """
    if not isinstance(begin, dict):
        raise Malformed('"begin" must be a map')
    name = begin.get("task", "remote")
    group = begin.get("group", "remote")
    seed = begin.get("run_seed", "0")
    steps = begin.get("steps", 1)
    repeat = begin.get("repeat", 0)
    nominal = begin.get("nominal")
    if not all(
        isinstance(text, str) and len(text) <= MAX_TEXT
        for text in (name, group, seed, nominal or "")
    ):
        raise Malformed("task, group, nominal and run_seed must be texts")
    if (
        type(steps) is not int
        or type(repeat) is not int
        or not seed.removeprefix("-").isdecimal()
        or len(seed) > 100
    ):
        raise Malformed("steps, repeat and run_seed must be whole numbers")
    return Trial(
        Task(name, group, observation.frame, observation.instruction, steps, nominal=nominal),
        repeat,
        int(seed),
    )
