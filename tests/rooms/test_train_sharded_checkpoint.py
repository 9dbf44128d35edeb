"""Checkpoints of sharded weights: which are kept; what is in them is tested in tests/processes."""

from pathlib import Path

from warmstart.train.sharded_checkpoint import drop_older


def test_the_newest_few_are_kept(tmp_path: Path) -> None:
    """Witness: names by hand: newer than the one just written, half written, of the other form: gone; a stranger stays."""
    names = ["sharded-000000002", "sharded-000000004", "sharded-000000006", "sharded-000000009", "step-000000003",
             ".sharded-000000006.x1", "notes"]  # fmt: skip
    for name in names:
        (tmp_path / name).mkdir()
    drop_older(tmp_path, tmp_path / "sharded-000000006", 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes", "sharded-000000004", "sharded-000000006"]
