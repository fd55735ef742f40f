"""A directory of migrations is read as a whole before anything runs."""

import hashlib
from pathlib import Path

import pytest

from bluegreen.adapters.migrations.files import read_directory
from bluegreen.domain.errors import MigrationFailed


def test_files_come_in_the_order_of_their_numbers_not_of_their_letters(tmp_path: Path) -> None:
    for name in ("10000_z.expand.sql", "0002_b.contract.sql", "0002_b.expand.sql", "0001_c-d_E.expand.sql"):
        (tmp_path / name).write_text("SELECT 1")
    (tmp_path / "README.md").write_text("not SQL")
    (tmp_path / ".0003_x.expand.sql").write_text("an editor's")
    assert [file.path.name for file in read_directory(tmp_path)] == [
        "0001_c-d_E.expand.sql", "0002_b.expand.sql", "0002_b.contract.sql", "10000_z.expand.sql",
    ]  # fmt: skip


def test_a_file_is_known_by_the_hash_of_its_bytes(tmp_path: Path) -> None:
    raw = b"\xef\xbb\xbf-- bluegreen: no-transaction\nSELECT 1"
    (tmp_path / "0001_a.expand.sql").write_bytes(raw)
    (file,) = read_directory(tmp_path)
    assert file.checksum == hashlib.sha256(raw).hexdigest()
    assert not file.script.transactional


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["0001_a.sql"], r"0001_a\.sql: the name says neither order nor phase"),
        (["1_a.expand.sql"], "neither order nor phase"),
        (["0001_a.expnad.sql"], "neither order nor phase"),
        (["0001_a.backfill.sql"], r"0001_a\.backfill\.sql:1: a backfill file holds one UPDATE or DELETE"),
        (["0001_a.expand.sql", "0001_b.expand.sql"], "the same number"),
        (["0001_a.expand.sql", "0001_b.contract.sql"], "the same number"),
    ],
)
def test_what_would_be_overlooked_or_run_in_a_wrong_order_is_refused(
    tmp_path: Path, names: list[str], reason: str
) -> None:
    for name in names:
        (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(MigrationFailed, match=reason):
        read_directory(tmp_path)


def test_a_mistake_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "0001_a.expand.sql"
    path.write_text("SELECT 1;\nSELEKT 2;\n")
    with pytest.raises(MigrationFailed) as caught:
        read_directory(tmp_path)
    assert caught.value.detail == f'{path}:2: syntax error at or near "SELEKT"'
    assert caught.value.facts == {"file": str(path), "line": 2}


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(MigrationFailed, match="nowhere cannot be listed: No such file"):
        read_directory(tmp_path / "nowhere")
    (tmp_path / "0001_a.expand.sql").write_bytes(b"SELECT '\xff'")
    with pytest.raises(MigrationFailed, match=r"not UTF-8 \(byte 8\)"):
        read_directory(tmp_path)
    (tmp_path / "0001_a.expand.sql").unlink()
    (tmp_path / "0001_a.expand.sql").mkdir()
    with pytest.raises(MigrationFailed, match="cannot be read: Is a directory"):
        read_directory(tmp_path)
