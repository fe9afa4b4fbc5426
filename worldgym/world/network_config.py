"""The numbers that define a world's network. They are in its checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

HOMOGRAPHY = 8  # numbers that say how a camera moved, see `worldgym.world.moved_picture`


@dataclass(frozen=True)
class DiTConfig:
    """action_size: numbers shown with a frame: 2 A + 1 (see
    `worldgym.world.conditioning.conditioning`).

    previous_frame: also show each token its place in the previous frame, at that frame's own noise
    level. initial_frame: also its place in the episode's initial one: what an arm hides comes back
    as it was, however long ago it left the window.
    action_octaves: also show sine and cosine of every action number at frequencies 1, 2, 4, ...:
    this many. Where an arm stands to a pixel is a steep function of the sum of its actions, which a
    linear layer of the sum alone learns slowly. positions: "rotary" or "rotary_pixel" (as
    released), or "learned": an embedding of each place at the input and a bias by distance in time,
    over `window` frames at most. Learned ones suit a fixed camera and save 15 % of a training step.
    rotary_tables: the number format in which rotary tables were made when the network was trained,
    see `worldgym.world.rotary`.
    activation: "gelu" (tanh form, as released) or "relu2" (squared ReLU: 16 % of a training step
    less on a CPU). cameras: views of a frame, V. Their latents, each of `latent_shape`, lie below
    each other (`worldgym.world.view_latents`); their tokens meet in the spatial blocks, with an
    embedding learned for each view and positions that begin again in each, and the temporal blocks
    look at one place of one view. carrier_width: channels of convolutions that carry the previous
    frame on by the action; what they draw is shown in its stead and let through to the output, see
    `worldgym.world.carrier`; 0 = none. carrier_blocks: pairs of such convolutions. direct_width:
    channels of a U-Net that draws each frame from the initial one alone; tokens are shown that too,
    and let it through, see `worldgym.world.direct`; 0 = none. sums_from: the first of the numbers
    shown that is a sum of actions, from which follows where a camera went. embodiments:
    robots that share the network; with several it learns a token for each (see
    `worldgym.world.embodiments`)."""

    latent_shape: tuple[int, int, int] = (8, 12, 12)
    patch: int = 2
    width: int = 256
    pairs: int = 4
    heads: int = 4
    mlp_ratio: int = 4
    action_size: int = 9
    action_octaves: int = 0
    previous_frame: bool = True
    initial_frame: bool = True
    positions: str = "learned"
    rotary_tables: str = "exact"
    activation: str = "relu2"
    window: int = 32
    embodiments: int = 1
    # see `__repr__`
    cameras: int = field(default=1, repr=False)
    carrier_width: int = field(default=0, repr=False)
    carrier_blocks: int = field(default=4, repr=False)
    direct_width: int = field(default=0, repr=False)
    sums_from: int = field(default=0, repr=False)

    def __repr__(self) -> str:
        """By it a training is known again that is resumed: so it names what came later only where
        it is used, and the cameras never, whose names are compared."""
        used = {"carrier": self.carrier_width, "direct": self.direct_width}
        shown = [f for f in fields(self) if f.repr or used.get(f.name.split("_")[0])]
        return f"DiTConfig({', '.join(f'{f.name}={getattr(self, f.name)!r}' for f in shown)})"

    @property
    def stacked_shape(self) -> tuple[int, int, int]:
        """(C, V h, w): of the latents of all views of a frame."""
        channels, height, width = self.latent_shape
        return channels, self.cameras * height, width

    @property
    def grid(self) -> tuple[int, int]:
        """Of the tokens of one view."""
        return self.latent_shape[1] // self.patch, self.latent_shape[2] // self.patch

    @property
    def shown(self) -> tuple[str, ...]:
        """Whose latents of its place a token is shown, in this order."""
        parts = {
            "frame": True,
            "previous": self.previous_frame,
            "initial": self.initial_frame,
            "direct": self.direct_width > 0,
        }
        return tuple(name for name, there in parts.items() if there)

    @property
    def views(self) -> int:
        """How many latents of its place a token is shown."""
        return len(self.shown)

    @property
    def tokens(self) -> int:
        """Of a frame, all views."""
        return self.cameras * self.grid[0] * self.grid[1]

    @property
    def action_features(self) -> int:
        return self.action_size * (1 + 2 * self.action_octaves)

    @property
    def flops_per_frame(self) -> int:
        """Of matrix products in one forward pass of one frame, attention products left out (under 5
        % here)."""
        per_token = 2 * self.pairs * (4 + 2 * self.mlp_ratio) * self.width**2 * 2
        modulation = (2 * self.pairs * 6 + 2) * self.width**2 * 2
        return self.tokens * per_token + modulation + self.carrier_flops + self.direct_flops

    @property
    def carrier_flops(self) -> int:
        """Of the convolutions that carry a frame on, part of `flops_per_frame`."""
        if not self.carrier_width:
            return 0
        channels, height, width = self.stacked_shape
        inner = 2 * self.carrier_blocks * self.carrier_width**2
        weights = 9 * (3 * channels * self.carrier_width + inner)
        return 2 * (height * width * weights + self.width * (self.width + self.carried_by))

    @property
    def carried_by(self) -> int:
        """Numbers that modulate the convolutions in one frame."""
        return 4 * self.carrier_blocks * self.carrier_width

    @property
    def direct_flops(self) -> int:
        """Of what draws a frame directly, part of `flops_per_frame`."""
        channels, height, width = self.latent_shape
        inner = self.direct_width
        # two blocks of each width, each at a quarter of the places; what halves and doubles
        blocks = (6 * 18 + 8) * inner**2
        ends = 9 * inner * (3 * channels + 32) * self.cameras
        drawn = 2 * height * width * (blocks + ends) + self.cameras * self.picture_flops
        return drawn if inner else 0

    @property
    def picture_flops(self) -> int:
        """Of a coarse picture of one view, see `worldgym.world.moved_picture`."""
        channels, height, width = self.latent_shape
        return 2 * height * width * 9 * 64 * (channels + 64 + 48)

    @property
    def drawn_by(self) -> int:
        """Numbers by which a frame is drawn directly: where the cameras went, and the numbers shown
        with it."""
        return HOMOGRAPHY * self.cameras + self.action_size if self.direct_width else 0


def published_network(scale: int) -> DiTConfig:
    """That of the released worlds (arXiv 2506.00613): `scale` heads of 64 and as many pairs of
    blocks; 16 is theirs."""
    return DiTConfig(
        latent_shape=(16, 32, 32),
        width=64 * scale,
        pairs=scale,
        heads=scale,
        action_size=10,
        previous_frame=False,
        initial_frame=False,
        positions="rotary_pixel",
        activation="gelu",
    )
