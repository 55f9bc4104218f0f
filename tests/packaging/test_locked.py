"""The release pins what it was proved with: pip and uv take its lock file, and refuse another
wheel.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from duli.base.errors import DuliError
from duli.packaging import environment, locked
from tests.closure import ROOT

LOCK = """\
numpy==2.4.6 ; python_version < '3.12' \\
    --hash=sha256:{a}
    # via duli
numpy==2.5.0 ; python_version >= '3.12' \\
    --hash=sha256:{b} \\
    --hash=sha256:{c}
    # via duli
numpy-financial==1.0.0 \\
    --hash=sha256:{c}
""".format(a="a" * 64, b="b" * 64, c="c" * 64)


def test_every_pin_of_a_library_is_kept_with_its_marker() -> None:
    found = locked.pins(LOCK, {"numpy": "2.4.6"})
    assert [(pin.requirement, len(pin.digests)) for pin in found["numpy"]] == [
        ("numpy==2.4.6 ; python_version < '3.12'", 1),
        ("numpy==2.5.0 ; python_version >= '3.12'", 2),
    ]
    assert list(found) == ["numpy"]


@pytest.mark.parametrize(
    ("libraries", "known"), [({"numpy": "2.4.5"}, "2.4.6, 2.5.0"), ({"scipy": "1"}, "no version")]
)
def test_what_the_lock_does_not_have_is_refused(libraries: dict[str, str], known: str) -> None:
    with pytest.raises(DuliError, match=known):
        locked.pins(LOCK, libraries)


def test_uv_installs_by_it_and_refuses_another_wheel(tmp_path: Path) -> None:
    """Of the lock of this repository; uv's cache has what the set-up installed."""
    import hashlib

    pins = locked.pins((ROOT / "requirements.lock").read_text(), environment.closure("httptools"))
    wheel = tmp_path / "one-1-py3-none-any.whl"
    _write_wheel(wheel)
    uv = str(Path(sys.executable).with_name("uv"))
    for digest, code in ((hashlib.sha256(wheel.read_bytes()).hexdigest(), 0), ("f" * 64, 1)):
        (tmp_path / locked.FILE).write_bytes(
            locked.requirements(pins, wheel.name, digest, ["serve"])
        )
        done = subprocess.run(
            [
                uv,
                "pip",
                "install",
                "--offline",
                "--no-deps",
                "--require-hashes",
                "--target",
                f"there-{code}",
                "-r",
                locked.FILE,
            ],
            cwd=tmp_path,
            env=environment.clean(),
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, done.stderr
    assert re.search("[Hh]ash mismatch", done.stderr)
    assert (tmp_path / "there-0/httptools").is_dir()


def _write_wheel(path: Path) -> None:
    import zipfile

    about = (
        "Metadata-Version: 2.4\nName: one\nVersion: 1\nProvides-Extra: serve\nRequires-Dist:"
        " httptools; extra == 'serve'\n"
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("one.py", "")
        archive.writestr("one-1.dist-info/METADATA", about)
        archive.writestr(
            "one-1.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(
            "one-1.dist-info/RECORD",
            "one.py,,\none-1.dist-info/METADATA,,\none-1.dist-info/WHEEL,,\none-1.dist-info/RECORD,,\n",
        )
