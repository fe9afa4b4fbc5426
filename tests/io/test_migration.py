"""What earlier versions wrote still opens, under the present names."""

from __future__ import annotations

from worldgym.io.migration import migrated_config


def test_keys_of_a_config_are_renamed_at_any_depth() -> None:
    old = {"kind": "world", "network": {"start_frame": True, "width": 8}, "robots": [{"width": 2}]}
    assert migrated_config(old) == {
        "kind": "world",
        "network": {"initial_frame": True, "width": 8},
        "robots": [{"width": 2}],
    }
