"""How `worldgym policy serve` describes its policy, before the first request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from worldgym.actions.sound_spec import fault_of_spec
from worldgym.errors import InputError
from worldgym.io.records import from_mapping
from worldgym.policies.policy_protocol import NAME, NEWEST_FRAME, Needs
from worldgym.policies.wire.address import Address
from worldgym.policies.wire.family import MAX_CHUNK, OWN, choices
from worldgym.policies.wire.json_numpy import decode
from worldgym.policies.wire.request_mapping import own_part
from worldgym.types import ActionSpec
from worldgym.wire.msgpack_numpy import unpack
from worldgym.wire.wire_arrays import Malformed

MAX_FINGERPRINT = 200  # characters


@dataclass(frozen=True)
class Offer:
    """fingerprint: of the policy's checkpoint, "" where it has none. It tells two policies of one
    name apart.

    needs: what a request must carry, see `Family.carrying` for the keys.
    """

    name: str
    spec: ActionSpec
    chunk: int
    fingerprint: str = ""
    needs: Needs = NEWEST_FRAME

    def to_message(self) -> dict[str, Any]:
        facts = {
            "name": self.name,
            "spec": self.spec.to_json(),
            "chunk": self.chunk,
            "fingerprint": self.fingerprint,
        }
        return {OWN: {**facts, "needs": self.needs.to_json()}}

    @staticmethod
    def read(said: bytes, address: Address) -> Offer:
        """From a server's first message. InputError if it is another family's server, or what it
        says is unsound."""
        url = address.server.url
        try:
            facts = own_part(unpack(said) if address.protocol == "openpi" else decode(said))
            if not facts:
                raise InputError(
                    f"{url}: the server does not say what it serves; name its family, as in "
                    f"{url}?family=my/family.toml: {choices(address.protocol).removeprefix('or ')}"
                )
            return _sound(from_mapping(Offer, facts, more=True))
        except (Malformed, ValueError, OverflowError) as error:
            raise InputError(
                f"{url}: the server's description is not a policy's ({error})"
            ) from error


def _sound(offer: Offer) -> Offer:
    """ValueError where the numbers of an offer make no sense."""
    if not NAME.fullmatch(offer.name):
        raise ValueError(f"its name is {offer.name!r}")
    if not 1 <= offer.chunk <= MAX_CHUNK:
        raise ValueError(f"its chunk is {offer.chunk}")
    if len(offer.fingerprint) > MAX_FINGERPRINT or not offer.fingerprint.isprintable():
        raise ValueError(f"its fingerprint needs up to {MAX_FINGERPRINT} printable characters")
    if fault := fault_of_spec(offer.spec):
        raise ValueError(fault)
    return offer
