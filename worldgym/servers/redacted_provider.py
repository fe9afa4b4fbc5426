"""A provider whose texts can be stored and shown: without keys, control characters or broken
characters."""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace

from worldgym.errors import JudgeStopped
from worldgym.io.text import clean
from worldgym.io.user_code import Failure, attempt
from worldgym.servers.api_keys import Secrets
from worldgym.servers.provider import Busy, Provider, Question, Rejected, Reply, Stopped

SHOWN = 300  # characters of a server's complaint that enter a message
SHORT = 200  # characters of a server's name for its model, and for an ending


class RedactedProvider:
    """Around any provider: a server may echo its request, and a library quotes the header that it
    could not send."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._secrets = Secrets(provider.secrets)

    def ask(self, question: Question, vote: int, structured: bool) -> Reply:
        """As the provider; whatever else it raises is Busy. No error refers to the original one,
        which may quote the key."""
        said = attempt(lambda: self._provider.ask(question, vote, structured))
        if isinstance(said, Failure):
            raise self._fault(said)
        image = "" if self._shows(said.image) else said.image
        return replace(
            said,
            text=self._said(said.text),
            ending=self._said(said.ending)[:SHORT],
            image=image,
            model=self._model(said),
        )

    def _fault(self, failure: Failure) -> Exception:
        error = failure.error
        hidden = self._said(str(failure.error))[:SHOWN]
        if isinstance(error, Stopped):
            return JudgeStopped(
                f"the model's server refuses every question ({hidden}); {error.fix}"
            )
        if isinstance(error, Rejected):
            return Rejected(hidden, error.filtered)
        if isinstance(error, Busy):
            return Busy(hidden, error.retry_after)
        return Busy(self._said(failure.reason)[:SHOWN])

    def _said(self, text: str) -> str:
        return self._secrets.hide(clean(text))

    def _model(self, reply: Reply) -> str:
        return " ".join(self._said(reply.model).split())[:SHORT]

    def _shows(self, image: str) -> bool:
        """Whether a picture's file quotes a key, as a server's own notes in it may."""
        try:
            return self._secrets.inside(base64.b64decode(image))
        except (binascii.Error, ValueError):
            return False
