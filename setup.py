"""Compiles the hot path, where there is a compiler; everything else stands in pyproject.toml.

The modules below are ordinary Python that Cython can compile too ("pure-Python mode"). Compiled
they are fast, uncompiled they are slow and right, so a machine without a compiler gets a warning
and a working installation. A compiled module shadows the `.py` beside it, therefore an in-place
build first removes every extension that is older than its source or that isn't listed any more.

MYSYNC_PURE=1      compile nothing (and, in place, remove what was compiled)
MYSYNC_COMPILED=1  a module that can't be compiled is an error, not a warning
"""

import os
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

# Listed modules that don't exist are passed over.
HOT_PATH = (
    "mysync_schemas/avro.py",
    "mysync_schemas/hashing.py",
    "mysync_schemas/jsonread.py",
    "mysync_schemas/jsonwrite.py",
    "mysync_producer/rowbuffer.py",
    "mysync_producer/rowimage.py",
    "mysync_producer/rowtext.py",
    "mysync_producer/rowtemporal.py",
    "mysync_producer/rowcompressed.py",
    "mysync_producer/rowoldtemporal.py",
    "mysync_producer/rowkey.py",
    "mysync_producer/rowcodec.py",
    "mysync_producer/selectjson.py",
    "mysync_producer/selectvalues.py",
    "mysync_producer/selecttemporal.py",
    "mysync_producer/selectimage.py",
    "mysync_consumer/coalesce.py",
    "mysync_consumer/imagebuffer.py",
    "mysync_consumer/rowread.py",
    "mysync_consumer/rowvalues.py",
    "mysync_consumer/rowcompressed.py",
    "mysync_consumer/rowtemporal.py",
    "mysync_consumer/rowoldtemporal.py",
    "mysync_consumer/rowimage.py",
)

ROOTS = {
    "mysync_schemas": "schemas",
    "mysync_runtime": "runtime",
    "mysync_producer": "producer",
    "mysync_consumer": "consumer",
}
PURE = os.environ.get("MYSYNC_PURE", "") not in ("", "0")
REQUIRED = os.environ.get("MYSYNC_COMPILED", "") not in ("", "0")


def source_of(module: str) -> Path:
    """`mysync_schemas/avro.py` -> `schemas/mysync_schemas/avro.py`."""
    return Path(ROOTS[module.partition("/")[0]]) / module


def extensions() -> list[Extension]:
    """The listed modules that exist, each translated to C unless that is up to date."""
    sources = {m: source_of(m) for m in HOT_PATH if not PURE and source_of(m).exists()}
    if not sources:
        return []
    try:
        from Cython.Build import cythonize
        from Cython.Compiler.Errors import CompileError
    except ImportError as error:
        give_up(f"Cython is missing ({error})")
        return []
    compiled = []
    for module, source in sources.items():
        extension = Extension(
            module.removesuffix(".py").replace("/", "."),
            [str(source)],
            extra_compile_args=["-O2"],
            optional=not REQUIRED,
        )
        try:
            compiled += cythonize(
                [extension],
                build_dir="build/cython",
                include_path=list(ROOTS.values()),
                compiler_directives={"language_level": 3},
                quiet=True,
            )
        except CompileError as error:
            give_up(f"Cython can't translate {source}: {error}")
    return compiled


def give_up(why: str) -> None:
    if REQUIRED:
        raise SystemExit(f"mysync: {why}")
    sys.stderr.write(f"warning: mysync: {why}; that module stays pure Python, slower.\n")


class BuildExt(build_ext):
    def finalize_options(self) -> None:
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def run(self) -> None:
        self.remove_stale(Path(self.build_lib))
        if self.inplace:
            for root in ROOTS.values():
                self.remove_stale(Path(root))
        super().run()

    def remove_stale(self, built_in: Path) -> None:
        """Deletes extensions that would shadow a newer, unlisted or vanished `.py`."""
        names = {extension.name for extension in self.extensions or ()}
        for built in built_in.rglob("*.so"):
            module = built.relative_to(built_in).with_name(built.name.partition(".")[0])
            source = Path(ROOTS[module.parts[0]]) / module.with_suffix(".py")
            unlisted = ".".join(module.parts) not in names
            if unlisted or source.stat().st_mtime > built.stat().st_mtime:
                built.unlink()


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildExt})
