"""Commands for policies: serve one to others, and check one before an evaluation."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from worldgym.cli.options import Positional, WorldName
from worldgym.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

    from worldgym.policies.open_loop_error import OpenLoop
    from worldgym.testing.policy_conformance import PolicyReport


@dataclass(frozen=True)
class ServePolicy:
    """Serve a policy to other programs, until Ctrl-C: `worldgym evaluate --policy ws://HOST:PORT`
    uses it from elsewhere."""

    policy: Positional[str]
    """anything that `worldgym evaluate --policy` takes"""
    protocol: Literal["openpi", "openvla"] = "openpi"
    """openpi's websocket (ws://), or OpenVLA's REST (http://)"""
    host: str = "127.0.0.1"
    """address to listen on; --key-env is required for any but this machine's own"""
    port: int = 8000
    """0 = any free port"""
    world: WorldName | None = None
    """for "still" and "random": their action convention"""
    device: str = "auto"
    key_env: str = ""
    """environment variable with the key that clients must send"""

    def __call__(self) -> None:
        from worldgym.policies.load_policy import load
        from worldgym.policies.wire.family import FAMILIES, OWN
        from worldgym.policies.wire.openvla_server import OpenvlaServer
        from worldgym.policies.wire.responder import Responder
        from worldgym.wire.admission import authorization
        from worldgym.wire.websocket_server import WebsocketServer
        from worldgym.world.world_source import load_world

        if not 0 <= self.port < 2**16:
            raise InputError(f"--port is {self.port}: give 0 to 65535")
        key = authorization(self.host, self.key_env)
        spec = load_world(self.world, device="cpu").spec if self.world else None
        loaded = load(self.policy, spec, self.device)
        responder = Responder(loaded.policy, FAMILIES[self.protocol][OWN], loaded.identity or "")
        kind = WebsocketServer if self.protocol == "openpi" else OpenvlaServer
        server = kind(responder, self.host, self.port, key)
        scheme = "ws" if self.protocol == "openpi" else "http"
        print(f"{loaded.policy.name}: {scheme}://{self.host}:{server.port}", flush=True)
        try:
            server.serve()
        except KeyboardInterrupt:
            print("stopped", file=sys.stderr)


@dataclass(frozen=True)
class CheckPolicy:
    """Check a policy before an evaluation: shapes, determinism, batch = single, latency; its
    actions are compared with a world's."""

    policy: Positional[str]
    """anything that `worldgym evaluate --policy` takes"""
    world: WorldName | None = None
    """a world to compare with, as for `worldgym evaluate`; it also gives the size of frames"""
    size: tuple[int, int] = (96, 96)
    """height and width of frames, without --world or --data"""
    data: Path | None = None
    """episode store: the policy's actions on its frames are compared with the recorded ones"""
    calls: int = 20
    """calls timed"""
    device: str = "auto"
    json: bool = False
    """print JSON instead of a table"""

    def __call__(self) -> None:
        from worldgym.episodes.store import EpisodeStore
        from worldgym.io.progress import told_if_slow
        from worldgym.policies.load_policy import given_name, load_policy
        from worldgym.policies.open_loop_error import compare_with_recorded
        from worldgym.policies.wire.address import is_address
        from worldgym.testing.policy_conformance import check_and_time, with_recorded
        from worldgym.types import ONE_VIEW
        from worldgym.world.world_source import load_world

        if self.calls < 1 or min(self.size) < 1:
            raise InputError("--calls and --size must be 1 or more")
        store = EpisodeStore(self.data) if self.data else None
        with told_if_slow("worldgym: loading the world"):
            world = load_world(self.world, device="cpu") if self.world else None
        spec = world.spec if world else store.spec if store is not None else None
        policy = load_policy(self.policy, spec, self.device)
        shape = (
            world.frame_shape
            if world
            else (*(store.frame_size() if store is not None else self.size), 3)
        )
        views = world.views if world else store.views if store is not None else ONE_VIEW
        report = check_and_time(policy, shape, world.spec if world else None, self.calls, views)
        if store is not None:  # an empty one is false
            report = with_recorded(report, lambda: compare_with_recorded(policy, store))
        if self.json:
            print(json.dumps(report.to_json(), indent=2))
        else:
            _print(report)
        if report.broken:
            or_address = " or its address" if is_address(given_name(self.policy)[1]) else ""
            raise InputError(
                f"{self.policy}: {report.broken} of {len(report.outcomes)} rules are broken; fix "
                f"the policy{or_address}"
            )


def _print(report: PolicyReport) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from worldgym.report.console import OutputConsole
    from worldgym.report.formats import number_of

    console = OutputConsole()
    rules = Table(
        title=Text(f"{report.policy}, {number_of(report.chunk, 'action')} per call"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    for heading in ("rule", "", "complaint"):
        rules.add_column(heading, overflow="fold")
    shown = set[str]()
    for outcome in report.outcomes:
        if outcome.complaint is None:
            rules.add_row(outcome.rule, Text("passed", "green"), "")
        elif outcome.complaint not in shown:  # one cause may break several rules
            shown.add(outcome.complaint)
            alike = [each.rule for each in report.outcomes if each.complaint == outcome.complaint]
            rules.add_row(";\n".join(alike), Text("broken", "red"), Text(outcome.complaint))
    console.print(rules)
    if report.compared:
        changed = any(own != told for own, told, _ in report.compared.values())
        becomes = ["becomes"] if changed else []
        specs = Table("", "policy", *becomes, "world", box=box.SIMPLE_HEAD)
        for name, (own, told, theirs) in report.compared.items():
            style = "" if told == theirs else "red"
            sides = [own, told, theirs] if changed else [own, theirs]
            specs.add_row(Text(name, style), *(Text(_words(value)) for value in sides))
        console.print(specs)
    for change in report.changes:
        console.print(Text(change))
    if report.open_loop is not None:
        console.print(_open_loop(report.open_loop))
        for remark in report.open_loop.remarks():
            console.print(Text(remark, "yellow"))
    if report.latency is not None:
        late = report.latency
        times = (
            f"median {1e3 * late.median:.1f} ms, 95th percentile {1e3 * late.p95:.1f} ms of "
            f"{number_of(late.calls, 'call')}"
        )
        console.print(Text(f"one observation: {times}; {1e3 * late.per_action:.1f} ms per action"))


def _open_loop(found: OpenLoop) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from worldgym.report.formats import hundredths, number_of

    title = (
        f"on {number_of(found.steps, 'recorded frame')} of {number_of(found.episodes, 'episode')}"
    )
    if found.gripper is not None:
        title += f"; the gripper command agrees at {hundredths(found.gripper[0])}% of them"
    table = Table(
        "", "recorded", "policy", "error", "of the spread", "correlation", box=box.SIMPLE_HEAD
    )
    table.title = Text(title)
    table.title_justify = "left"
    for number in found.numbers:
        sides = (
            f"{mean:.4f} +- {scatter:.4f}" for mean, scatter in (number.recorded, number.policy)
        )
        shares = (
            ("-" if value is None else f"{value:.2f}")
            for value in (number.relative, number.correlation)
        )
        table.add_row(
            Text(number.name), *map(Text, sides), Text(f"{number.error:.4f}"), *map(Text, shares)
        )
    return table


def _words(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
