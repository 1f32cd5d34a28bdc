"""The hot-path modules as plain Python, beside the compiled ones that an import normally finds."""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType


def is_compiled(module: ModuleType) -> bool:
    return not (module.__file__ or "").endswith(".py")


def load_pure(package: ModuleType, *names: str) -> dict[str, ModuleType]:
    """Imports `names` of `package` from their sources; they see one another, nobody else does."""
    assert package.__file__
    folder = Path(package.__file__).parent
    full = [f"{package.__name__}.{name}" for name in names]
    with _without(full):
        sys.meta_path.insert(0, finder := _Sources(folder, set(full)))
        try:
            return {name: importlib.import_module(f"{package.__name__}.{name}") for name in names}
        finally:
            sys.meta_path.remove(finder)


@contextmanager
def _without(names: list[str]) -> Iterator[None]:
    """Hides modules from sys.modules and from their package, and puts them back."""
    hidden = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    try:
        yield
    finally:
        for name in names:
            sys.modules.pop(name, None)
            package, _, attribute = name.rpartition(".")
            if name in hidden:
                sys.modules[name] = hidden[name]
                setattr(sys.modules[package], attribute, hidden[name])
            else:
                vars(sys.modules[package]).pop(attribute, None)


class _Sources:
    """Finds the given modules as `.py` files only."""

    def __init__(self, folder: Path, names: set[str]) -> None:
        self.folder = folder
        self.names = names

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        if name not in self.names:
            return None
        source = self.folder / (name.rpartition(".")[2] + ".py")
        return importlib.util.spec_from_file_location(
            name, source, loader=SourceFileLoader(name, str(source))
        )
