"""A decoder of Stable Diffusion 3's shape, for what it costs: random weights."""

from __future__ import annotations

from torch import Tensor, nn


class Decoder(nn.Module):
    """Convolutions and norms as in Stable Diffusion's decoder, without its attention: 2 % of the
    work. latents [B, C, h, w] => [B, 3, 8 h, 8 w]."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        widths = (width, width, width // 2, width // 4)
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1)]
        layers += [Residual(width, width), Residual(width, width)]
        before = width
        for level, now in enumerate(widths):
            layers += [Residual(before if i == 0 else now, now) for i in range(3)]
            before = now
            if level < 3:
                layers += [nn.Upsample(scale_factor=2.0), nn.Conv2d(now, now, 3, padding=1)]
        layers += [nn.GroupNorm(8, before), nn.SiLU(), nn.Conv2d(before, 3, 3, padding=1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, latents: Tensor) -> Tensor:
        found: Tensor = self.layers(latents)
        return found


class Residual(nn.Module):
    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.GroupNorm(8, into), nn.SiLU(), nn.Conv2d(into, out, 3, padding=1)
        )
        self.second = nn.Sequential(
            nn.GroupNorm(8, out), nn.SiLU(), nn.Conv2d(out, out, 3, padding=1)
        )
        self.beside = nn.Conv2d(into, out, 1) if into != out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.second(self.first(x)) + self.beside(x)
        return found
