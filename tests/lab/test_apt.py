"""The machine's Debian mirror is found in both formats of apt's sources."""

from pathlib import Path

import pytest

from mysync_lab import apt
from mysync_lab.apt import Source
from mysync_lab.errors import MissingTool

ONE_LINE = """
# deb http://commented.example/debian bookworm main
deb-src http://sources.example/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] https://third.example/repo nodistro main
deb http://security.example/debian-security bookworm-security main
deb [arch=amd64] http://mirror.example/debian/ bookworm main contrib # the one
deb http://mirror.example/debian bookworm-updates main
"""

DEB822 = """
Types: deb
URIs: https://third.example/node_20.x
Suites: nodistro
Components: main

Enabled: no
Types: deb
URIs: http://disabled.example/debian
Suites: bookworm
Components: main

# a comment before the stanza
Types: deb deb-src
# and one within
URIs: http://mirror.example/debian
Suites: bookworm
 bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""


def test_one_line_sources_are_read_with_options_and_comments() -> None:
    assert list(apt.parse_list(ONE_LINE)) == [
        Source("https://third.example/repo", "nodistro", ("main",)),
        Source("http://security.example/debian-security", "bookworm-security", ("main",)),
        Source("http://mirror.example/debian/", "bookworm", ("main", "contrib")),
        Source("http://mirror.example/debian", "bookworm-updates", ("main",)),
    ]


def test_deb822_sources_are_read_with_continuations_comments_and_disabled_stanzas() -> None:
    assert list(apt.parse_deb822(DEB822)) == [
        Source("https://third.example/node_20.x", "nodistro", ("main",)),
        Source("http://mirror.example/debian", "bookworm", ("main", "contrib")),
        Source("http://mirror.example/debian", "bookworm-updates", ("main", "contrib")),
    ]


@pytest.mark.parametrize("sources", [apt.parse_list(ONE_LINE), apt.parse_deb822(DEB822)])
def test_the_mirror_is_the_one_that_carries_a_whole_release(sources: list[Source]) -> None:
    assert apt.pick_mirror(sources) == "http://mirror.example/debian"


def test_both_formats_are_found_below_etc_apt(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text("deb http://a.example/debian sid main\n")
    (tmp_path / "sources.list.d/b.sources").write_text(DEB822)
    (tmp_path / "sources.list.d/c.sources.disabled").write_text(DEB822)
    uris = [source.uri for source in apt.machine_sources(tmp_path)]
    assert uris[0] == "http://a.example/debian"
    assert uris.count("http://mirror.example/debian") == 2


def test_a_machine_without_a_debian_mirror_is_told_what_to_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(apt, "machine_sources", lambda: iter(()))
    monkeypatch.delenv("MYSYNC_LAB_MIRROR", raising=False)
    with pytest.raises(MissingTool, match="MYSYNC_LAB_MIRROR"):
        apt.mirror()
