"""What comes with a release is read from files; what cannot be read is told and raises nothing."""

import os
from pathlib import Path

from bluegreen.adapters.papers.file import LARGEST, FilePapers
from bluegreen.domain.papers import Papers
from bluegreen.domain.plans import Release


async def test_nothing_is_named_and_nothing_is_read() -> None:
    assert await FilePapers().read(Release("1.1.0")) == Papers()


async def test_the_release_s_name_is_filled_in(tmp_path: Path) -> None:
    (tmp_path / "CHANGELOG-1.1.0.md").write_text("\ufeff## 1.1.0\n", encoding="utf-8")
    (tmp_path / "1.1.0.env").write_text("A=\n")
    papers = FilePapers(f"{tmp_path}/CHANGELOG-{{release}}.md", f"{tmp_path}/{{release}}.env")
    assert await papers.read(Release("1.1.0")) == Papers(
        "## 1.1.0\n", "A=\n", f"{tmp_path}/CHANGELOG-1.1.0.md", f"{tmp_path}/1.1.0.env"
    )


async def test_what_a_release_names_itself_comes_first(tmp_path: Path) -> None:
    (tmp_path / "own.md").write_text("own")
    release = Release("1.1.0", changelog=str(tmp_path / "own.md"))
    assert (await FilePapers("/nowhere").read(release)).changelog == "own"


async def test_what_cannot_be_read_is_told_and_the_other_file_is_read_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    (tmp_path / "large").write_bytes(b"x" * (LARGEST + 1))
    os.mkfifo(tmp_path / "pipe")
    expected = {
        "absent": "cannot be read: No such file or directory",
        "latin": "is not UTF-8 (byte 3)",
        "large": f"is larger than {LARGEST} bytes",
        "pipe": "is not a regular file",
        "": "is not a regular file",
    }
    (tmp_path / "fine").write_text("A=")
    for name, why in expected.items():
        found = await FilePapers(str(tmp_path / name), str(tmp_path / "fine")).read(Release("1.1.0"))
        assert (found.changelog, found.example) == (None, "A=")
        assert found.changelog_problem == f"{tmp_path / name} {why}"
