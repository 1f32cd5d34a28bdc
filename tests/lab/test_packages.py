"""The closure of the server packages is read as apt prints it, and unpacked whole or not at all."""

from pathlib import Path

import pytest

from mysync_lab.layout import published
from mysync_lab.packages import parse_closure, upstream_version

PRINTED = """\
Reading package lists...
The following NEW packages will be installed:
  libc6 libcrypt1 mysql-server-core perl-base
'http://mirror.example/pool/main/g/glibc/libc6_2.43-7_amd64.deb' libc6_2.43-7_amd64.deb 1866392 \
SHA256:00
'http://mirror.example/pool/l/libcrypt1_4.5.2_amd64.deb' libcrypt1_1%3a4.5.2+20251210-1_amd64.deb 1
'http://mirror.example/p/perl-base_5.42.3-1_amd64.deb' perl-base_5.42.3-1_amd64.deb 1877832 x
'http://mirror.example/p/mysql-common_5.8_all.deb' mysql-common_5.8+1.1.1_all.deb 6784 x
'http://mirror.example/m/mysql-server-core.deb' mysql-server-core_9.7.4-2_amd64.deb 26124236 x
"""


def test_the_closure_keeps_libraries_and_programs_and_leaves_perl_out() -> None:
    assert parse_closure(PRINTED) == {
        "libc6": "2.43-7",
        "libcrypt1": "1:4.5.2+20251210-1",
        "mysql-server-core": "9.7.4-2",
    }


@pytest.mark.parametrize(
    ("debian", "upstream"),
    [
        ("9.7.4-2", "9.7.4"),
        ("1:10.11.18-0+deb12u1", "10.11.18"),
        ("1:11.8.9+ds-4", "11.8.9"),
        ("10.11.18-MariaDB-log", "10.11.18"),
    ],
)
def test_the_upstream_version_is_without_epoch_and_revision(debian: str, upstream: str) -> None:
    assert upstream_version(debian) == upstream


def test_a_component_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "cache" / "component"
    with published(target) as work:
        (work / "file").write_text("whole")
        assert not target.exists()
    assert (target / "file").read_text() == "whole"


def test_a_cut_download_leaves_nothing(tmp_path: Path) -> None:
    def cut() -> None:
        with published(tmp_path / "component") as work:
            (work / "half").write_text("half")
            raise ConnectionResetError("cut")

    with pytest.raises(ConnectionResetError):
        cut()
    assert list(tmp_path.iterdir()) == []
