"""What the tests of the contract share: tables to describe, and the hot modules in both forms."""

from collections.abc import Callable
from types import ModuleType

import pytest

import mysync_schemas
from mysync_schemas import avro, hashing
from mysync_schemas.table import Column, FoldRef, Key, KeyPart, TableSchema
from mysync_schemas.types import complete, labels_of
from pure import is_compiled, load_pure

_pure: dict[str, ModuleType] = {}


def _form(request: pytest.FixtureRequest, imported: ModuleType) -> ModuleType:
    if request.param == "pure":
        if not _pure:
            _pure.update(load_pure(mysync_schemas, "avro", "hashing"))
        return _pure[imported.__name__.rpartition(".")[2]]
    if not is_compiled(imported):
        pytest.skip("nothing is compiled here")
    return imported


@pytest.fixture(params=["compiled", "pure"])
def avro_form(request: pytest.FixtureRequest) -> ModuleType:
    """`avro`, compiled and as plain Python."""
    return _form(request, avro)


@pytest.fixture(params=["compiled", "pure"])
def hashing_form(request: pytest.FixtureRequest) -> ModuleType:
    """`hashing`, compiled and as plain Python."""
    return _form(request, hashing)


MakeColumn = Callable[..., Column]
MakeTable = Callable[..., TableSchema]


def _column(name: str, column_type: str, *, nullable: bool = False, **more: object) -> Column:
    """A column by its name and type: numbers in the type are taken for what they usually mean."""
    data_type, _, rest = column_type.partition("(")
    words = data_type.split()
    numbers = [int(n) for n in rest.partition(")")[0].split(",") if n.strip().isdecimal()]
    facts: dict[str, object] = {
        "unsigned": "unsigned" in column_type,
        "labels": labels_of(column_type),
    }
    if words[0] == "decimal":
        facts |= {"precision": numbers[0], "scale": numbers[1]}
    if words[0] in ("datetime", "timestamp", "time") and numbers:
        facts["fsp"] = numbers[0]
    if words[0] in ("char", "varchar", "text", "enum", "set"):
        facts |= {"charset": "utf8mb4", "collation": "utf8mb4_0900_ai_ci"}
    return Column(
        name=name,
        ordinal=0,
        column_type=column_type,
        data_type=words[0],
        nullable=nullable,
        **(facts | more),  # type: ignore[arg-type]
    )


@pytest.fixture
def column() -> MakeColumn:
    """Makes a `Column`: column("name", "varchar(20)", nullable=True)."""
    return _column


@pytest.fixture
def table() -> MakeTable:
    """Makes a `TableSchema`: table(columns, primary=("id",), keys=..., db=..., table=...)."""

    def make(
        columns: list[Column],
        *,
        primary: tuple[str | tuple[str, int], ...] = (),
        keys: tuple[Key, ...] = (),
        folds: tuple[FoldRef, ...] | None = None,
        db: str = "shop",
        name: str = "orders",
        **more: object,
    ) -> TableSchema:
        numbered = [c.model_copy(update={"ordinal": n}) for n, c in enumerate(columns, 1)]
        parts = tuple(
            KeyPart(column=part)
            if isinstance(part, str)
            else KeyPart(column=part[0], prefix_length=part[1])
            for part in primary
        )
        if parts:
            keys = (Key(name="PRIMARY", unique=True, columns=parts), *keys)
        if folds is None:
            folds = tuple(
                FoldRef(column=c.name, collation=c.collation, fold_id=1)
                for c in columns
                if c.collation
            )
        return TableSchema(
            id=1,
            db=db,
            table=name,
            create_sql="CREATE TABLE …",
            columns=complete(f"{db}.{name}", numbered),
            keys=keys,
            identity=tuple(part.column or "" for part in parts),
            folds=folds,
            **more,  # type: ignore[arg-type]
        )

    return make
