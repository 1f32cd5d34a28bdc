"""All kinds of statements, with how often each is drawn."""

from collections.abc import Callable

from mysync_lab.workload import ddlalter as alter
from mysync_lab.workload import ddlcreate as create
from mysync_lab.workload import ddlobjects as objects
from mysync_lab.workload import ddlparts as parts
from mysync_lab.workload.ddlstep import Drawing, Step

Make = Callable[[Drawing], Step | None]

_clause = alter.clause_step

_BOTH: dict[str, tuple[int, Make]] = {
    "create": (10, create.create),
    "create partitioned": (6, create.create_partitioned),
    "create child": (6, create.create_child),
    "create like": (4, create.create_like),
    "create like temporary": (1, create.create_like_temporary),
    "create select": (5, create.create_select),
    "drop": (6, create.drop),
    "drop family": (2, create.drop_family),
    "drop in part": (2, create.drop_in_part),
    "truncate": (5, create.truncate),
    "rename": (5, create.rename),
    "rename across": (4, create.rename_across),
    "rename swap": (5, create.rename_swap),
    "add column": (8, _clause(alter.add_column)),
    "add columns": (2, _clause(alter.add_columns)),
    "add column how": (4, _clause(alter.add_column_how)),
    "add generated": (3, _clause(alter.add_generated)),
    "drop column": (6, _clause(alter.drop_column)),
    "reorder": (4, _clause(alter.reorder)),
    "modify": (6, _clause(alter.modify)),
    "temporal": (3, _clause(alter.temporal)),
    "change": (4, _clause(alter.change)),
    "rename column": (4, _clause(alter.rename_column)),
    "default": (3, _clause(alter.default)),
    "add index": (3, _clause(alter.add_index)),
    "add index how": (3, _clause(alter.add_index_how)),
    "add unique": (3, _clause(alter.add_unique)),
    "drop index": (3, _clause(alter.drop_index)),
    "rename index": (2, _clause(alter.rename_index)),
    "hide index": (2, _clause(alter.hide_index)),
    "drop key": (3, _clause(alter.drop_key)),
    "add key": (8, _clause(alter.add_key)),
    "change key": (5, _clause(alter.change_key)),
    "add check": (2, _clause(alter.add_check)),
    "drop check": (4, _clause(alter.drop_check)),
    "convert": (4, _clause(alter.convert)),
    "default charset": (2, _clause(alter.default_charset)),
    "comment": (2, _clause(alter.comment)),
    "options": (4, _clause(alter.options)),
    "several": (5, alter.several),
    "add foreign key": (3, _clause(alter.add_foreign_key)),
    "drop foreign key": (2, alter.drop_foreign_key),
    "create index": (3, alter.create_index),
    "drop index alone": (2, alter.drop_index_alone),
    "add partition": (3, parts.add),
    "drop partition": (3, parts.drop),
    "truncate partition": (3, parts.truncate),
    "reorganize partition": (3, parts.reorganize),
    "exchange partition": (4, parts.exchange),
    "remove partitioning": (1, parts.remove),
    "partition by": (2, parts.partition),
    "create database": (6, objects.create_database),
    "alter database": (2, objects.alter_database),
    "drop database": (1, objects.drop_database),
    "create view": (3, objects.create_view),
    "alter view": (2, objects.alter_view),
    "rename view": (3, objects.rename_view),
    "drop view": (2, objects.drop_view),
    "create trigger": (4, objects.create_trigger),
    "drop trigger": (3, objects.drop_trigger),
    "maintain": (2, objects.maintain),
    "in open work": (3, objects.in_open_work),
}
_MYSQL: dict[str, tuple[int, Make]] = {
    "add functional": (2, _clause(alter.add_functional)),
    "visibility": (2, _clause(alter.visibility)),
}
_MARIADB: dict[str, tuple[int, Make]] = {
    "create or replace": (3, create.replace),
    "create versioned": (1, create.create_versioned),
    "alter versioned": (2, alter.alter_versioned),
    "create sequence": (2, objects.create_sequence),
    "alter sequence": (3, objects.alter_sequence),
    "drop sequence": (1, objects.drop_sequence),
}
CREATING = ("create", "create partitioned", "create child", "create like", "create select")
"""Drawn while there are few tables."""
DROPPING = ("drop", "drop family", "drop")
"""Drawn while there are many."""


def kinds(*, mariadb: bool) -> dict[str, tuple[int, Make]]:
    """By name: the weight, and what makes a step of it; None is said where no table fits."""
    return _BOTH | (_MARIADB if mariadb else _MYSQL)
