"""Image references in their parts, and which of them name one image for good."""

import pytest

from bluegreen.domain.pins import Reference, contradictions, loosely_pinned, never_pinned, parse, same_image

HEX = "0123456789abcdef" * 4
DIGEST = f"sha256:{HEX}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("app", Reference("app")),
        ("app:1.2.0", Reference("app", "1.2.0")),
        ("localhost:5000/app", Reference("localhost:5000/app")),
        ("registry.example.org:5000/team/app:1.2.0", Reference("registry.example.org:5000/team/app", "1.2.0")),
        (f"registry.example.org/app@{DIGEST}", Reference("registry.example.org/app", "", DIGEST)),
        (f"app:1.2.0@{DIGEST}", Reference("app", "1.2.0", DIGEST)),
        ("[::1]:5000/app:1", Reference("[::1]:5000/app", "1")),
        ("a__b/c-d/e.f:x", Reference("a__b/c-d/e.f", "x")),
    ],
)
def test_a_reference_in_its_parts(text: str, expected: Reference) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "App", "app:", "app@", ":1.2", "app:1.2 ", "app:a:b", "http://x/app:1", "app:-1", "a//b:1", "app\n:1", "-x:1",
     "app:" + "x" * 129, "a" * 256 + ":1", "app:1;rm", "$(x):1"],
)  # fmt: skip
def test_what_is_no_reference(text: str) -> None:
    assert parse(text) is None
    assert "is not an image" in never_pinned(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("app", "names no tag"),
        ("localhost:5000/app", "names no tag"),
        ("app:latest", "whatever was pushed last"),
        ("registry.example.org:5000/app:latest", "whatever was pushed last"),
        ("app:1.2.0@sha256:" + "0" * 40, "64 hexadecimal digits"),
        (f"app@sha256:{HEX.upper()}", "64 hexadecimal digits"),
    ],
)
def test_what_never_may_stand_in_a_release(text: str, why: str) -> None:
    assert why in never_pinned(text)
    assert why in loosely_pinned(text, "tag", ())


@pytest.mark.parametrize(
    ("text", "by_tag", "by_digest"),
    [
        ("app:1.2.0", "", "wants app@sha256:..."),
        ("app:edge", "has a tag that moves", "has a tag that moves"),
        (f"app@{DIGEST}", "", ""),
        (f"app:1.2.0@{DIGEST}", "", ""),
        (f"app:edge@{DIGEST}", "", ""),
        (f"app:latest@{DIGEST}", "", ""),
    ],
)
def test_how_tight_a_pin_must_be(text: str, by_tag: str, by_digest: str) -> None:
    for pin, why in (("tag", by_tag), ("digest", by_digest)):
        said = loosely_pinned(text, pin, {"edge"})  # type: ignore[arg-type]
        assert bool(said) == bool(why)
        assert why in said


@pytest.mark.parametrize(
    ("image", "components", "contradicts"),
    [
        ("app:1.2.0", {}, False),
        ("app:v1.2.0", {}, False),
        ("app:1.2.0-alpine", {}, False),
        ("app:1.2", {}, False),
        ("app:1.1.0", {}, True),
        ("app:1.20.0", {}, True),
        ("app:1.1.0", {"web": "1.1.0"}, False),
        ("app:1.2.0", {"web": "1.1.0"}, True),
        ("app:a1b2c3d", {}, False),
        ("app:16", {}, False),
        (f"app@{DIGEST}", {}, False),
    ],
)
def test_a_tag_that_says_another_version_is_noticed(image: str, components: dict[str, str], contradicts: bool) -> None:
    assert bool(contradictions("1.2.0", {"web": image}, components)) is contradicts


def test_a_tag_of_a_component_that_is_not_named_is_told_how_to_name_it() -> None:
    (said,) = contradictions("1.2.0", {"identity": "kratos:26.2.0"}, {})
    assert said.endswith("if identity has versions of its own, name it under [components]")


@pytest.mark.parametrize(
    ("wanted", "running", "same"),
    [
        ("app:1", "docker.io/library/app:1", True),
        ("team/app:1", "docker.io/team/app:1", True),
        ("localhost/app:1", "localhost/app:1", True),
        ("app:1", "localhost/app:1", False),
        ("app:1", "app:2", False),
        (f"app:1@{DIGEST}", f"app@{DIGEST}", True),
    ],
)
def test_two_spellings_of_one_image(wanted: str, running: str, same: bool) -> None:
    assert same_image(wanted, running) is same
