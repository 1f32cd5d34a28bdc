"""Tables at the servers' limits, and tables whose rows are hard to tell apart: the widest, those of
the longest keys, without a key, with nothing but unique keys. On MySQL and on MariaDB."""

from itertools import cycle, islice

from fix_pipeline import MakeReplica
from mysync_lab.sql import SqlServer
from table_kinds import VIA, Kind, replicated

COLUMNS = 1_000
# Types, and two values of each.
SMALL = (
    ("TINYINT", "-128", "7"),
    ("SMALLINT UNSIGNED", "65535", "0"),
    ("MEDIUMINT", "-1", "8388607"),
    ("INT", "-2147483648", "1"),
    ("BIGINT UNSIGNED", "18446744073709551615", "2"),
    ("DECIMAL(5,2)", "-999.99", "0.01"),
    ("FLOAT", "1.5", "-3e38"),
    ("BIT(3)", "7", "0"),
    ("BIT(1)", "1", "0"),
    ("YEAR", "2155", "1901"),
    ("DATE", "'9999-12-31'", "'1000-01-01'"),
    ("TIME(1)", "'-838:59:59.0'", "'00:00:00.1'"),
    ("DATETIME", "'2024-02-29 23:59:59'", "'1000-01-01 00:00:00'"),
    ("TIMESTAMP NULL", "'2038-01-19 03:14:07'", "'1970-01-02 00:00:00'"),
    ("ENUM('a', 'b', '')", "'b'", "''"),
    ("SET('x', 'y')", "'x,y'", "''"),
    ("CHAR(2) CHARACTER SET latin1", "'é'", "''"),
    ("VARBINARY(3)", "X'00ff20'", "''"),
)
PARTS = 16  # of a key, on MySQL
BYTES = 3072  # of a key
ALL_PARTS = ", ".join(f"p{number}" for number in range(PARTS))


def wide() -> Kind:
    """Mixed small types, the key in the middle."""
    columns = list(islice(cycle(SMALL), COLUMNS - 1))
    listed = [f"c{number} {kind}" for number, (kind, _, _) in enumerate(columns)]
    names = ", ".join(f"c{number}" for number in range(len(columns)))
    first, second = (", ".join(column[at] for column in columns) for at in (1, 2))
    set_all = ", ".join(f"c{number} = {column[2]}" for number, column in enumerate(columns))
    return Kind(
        f"({', '.join([*listed[:500], 'id INT PRIMARY KEY', *listed[500:]])})",
        (
            f"INSERT INTO wide (id, {names}) VALUES (1, {first}), (2, {second}), (3, {first})",
            "INSERT INTO wide (id) VALUES (4), (5)",
            f"UPDATE wide SET {set_all} WHERE id IN (1, 4)",
            "UPDATE wide SET c0 = NULL, c998 = NULL WHERE id = 2",
            "UPDATE wide SET id = 30, c500 = NULL WHERE id = 3",
            "DELETE FROM wide WHERE id = 5",
        ),
    )


def composite() -> Kind:
    """A key of as many parts and bytes as there may be."""
    size = BYTES // PARTS // 4
    columns = ", ".join(f"p{number} VARCHAR({size})" for number in range(PARTS))

    def row(char: str, last: str, n: int) -> str:
        parts = [f"REPEAT('{char}', {size})"] * (PARTS - 1)
        parts.append(f"RPAD('{last}', {size}, '{char}')")
        return f"({', '.join(parts)}, {n})"

    rows = ", ".join([row("é", "1", 1), row("é", "2", 2), row("😀", "3", 3), row("ß", "4", 4)])
    return Kind(
        f"({columns}, n INT, PRIMARY KEY ({ALL_PARTS})) CHARACTER SET utf8mb4",
        (
            f"INSERT INTO composite VALUES {rows}",
            "UPDATE composite SET n = 20 WHERE n = 2",
            "UPDATE composite SET p15 = CONCAT('5', SUBSTR(p15, 2)) WHERE n = 1",
            "UPDATE composite SET p0 = '' WHERE n = 3",
            "DELETE FROM composite WHERE n = 4",
        ),
    )


LIMITS = {
    "wide": wide(),
    "composite": composite(),
    "long_key": Kind(
        "(k VARCHAR(768) PRIMARY KEY, n INT) CHARACTER SET utf8mb4",
        (
            (
                "INSERT INTO long_key VALUES (REPEAT('😀', 768), 1), ('', 2),"
                " (RPAD('a', 768, 'é'), 3), (RPAD('b', 768, 'é'), 4)"
            ),
            "UPDATE long_key SET n = 30 WHERE n = 3",
            "UPDATE long_key SET k = RPAD('c', 768, '日') WHERE n = 4",
            "DELETE FROM long_key WHERE n = 1",
        ),
    ),
    "long_binary_key": Kind(
        "(k VARBINARY(3072) PRIMARY KEY, n INT)",
        (
            (
                "INSERT INTO long_binary_key VALUES (REPEAT(X'00', 3072), 1),"
                " (REPEAT(X'00', 3071), 2), (REPEAT(X'ff', 3072), 3), ('', 4)"
            ),
            "UPDATE long_binary_key SET n = 20 WHERE n = 2",
            "UPDATE long_binary_key SET k = CONCAT(REPEAT(X'00', 3071), 'x') WHERE n = 3",
            "DELETE FROM long_binary_key WHERE n = 1",
        ),
    ),
    "duplicates": Kind(
        "(a INT, b VARCHAR(9), c DOUBLE)",
        (
            (
                "INSERT INTO duplicates VALUES (1, 'x', 0.1), (1, 'x', 0.1), (1, 'x', 0.1),"
                " (1, 'X', 0.1), (NULL, NULL, NULL), (NULL, NULL, NULL), (2, 'y', -1e300)"
            ),
            "INSERT INTO duplicates SELECT * FROM duplicates",
            "UPDATE duplicates SET a = 5 WHERE a = 1 LIMIT 1",
            "UPDATE duplicates SET b = 'z' WHERE a IS NULL LIMIT 1",
            "DELETE FROM duplicates WHERE a = 1 LIMIT 1",
            "DELETE FROM duplicates WHERE a IS NULL AND b IS NULL LIMIT 1",
            "UPDATE duplicates SET a = 1, b = 'x' WHERE a = 2 LIMIT 1",
        ),
    ),
    "unique_only": Kind(
        "(a INT NOT NULL, b VARCHAR(9), n INT, UNIQUE KEY (a))",
        (
            "INSERT INTO unique_only VALUES (1, 'x', 1), (2, 'x', 1), (3, NULL, NULL)",
            "UPDATE unique_only SET n = 7 WHERE a = 2",
            "UPDATE unique_only SET a = 30 WHERE a = 3",
            "DELETE FROM unique_only WHERE a = 1",
            "INSERT INTO unique_only VALUES (1, 'new', 2), (3, 'x', 1)",
        ),
    ),
    "nullable_unique_only": Kind(
        "(a INT, b VARCHAR(9), n INT, UNIQUE KEY (a))",
        (
            (
                "INSERT INTO nullable_unique_only VALUES (1, 'x', 1), (NULL, 'x', 1),"
                " (NULL, 'x', 1), (2, 'y', 2), (NULL, NULL, NULL), (NULL, NULL, NULL), (3, 'x', 1)"
            ),
            "UPDATE nullable_unique_only SET n = 7 WHERE a IS NULL AND b = 'x' LIMIT 1",
            "UPDATE nullable_unique_only SET a = NULL, n = 1, b = 'x' WHERE a = 2",
            "UPDATE nullable_unique_only SET a = 9 WHERE b IS NULL LIMIT 1",
            "DELETE FROM nullable_unique_only WHERE a IS NULL AND n = 1 LIMIT 1",
            "DELETE FROM nullable_unique_only WHERE a = 1",
        ),
    ),
    "nullable_uniques": Kind(
        "(a INT, b VARCHAR(9), c DATE, n INT, UNIQUE KEY (a, b), UNIQUE KEY (c),"
        " UNIQUE KEY (b, n))",
        (
            (
                "INSERT INTO nullable_uniques VALUES (1, 'x', '2020-01-01', 1), (1, NULL, NULL, 1),"
                " (1, NULL, NULL, 1), (NULL, 'x', NULL, NULL), (NULL, 'x', NULL, NULL),"
                " (2, 'x', '2020-01-02', 2), (NULL, NULL, NULL, NULL)"
            ),
            "UPDATE nullable_uniques SET n = 5 WHERE a = 1 AND b IS NULL LIMIT 1",
            "UPDATE nullable_uniques SET c = NULL WHERE n = 2",
            "UPDATE nullable_uniques SET c = '2020-01-02' WHERE a IS NULL AND b = 'x' LIMIT 1",
            "DELETE FROM nullable_uniques WHERE a IS NULL AND b = 'x' AND c IS NULL LIMIT 1",
            "DELETE FROM nullable_uniques WHERE n = 5",
        ),
    ),
}


@VIA
def test_mysqls_widest_and_longest_are_equal_afterwards(
    make_replica: MakeReplica, via: str
) -> None:
    replicated(make_replica(apply={"via": via}), LIMITS)


@VIA
def test_mariadbs_widest_and_longest_are_equal_afterwards(
    make_replica: MakeReplica, mariadb_a: SqlServer, mariadb_b: SqlServer, via: str
) -> None:
    replicated(make_replica(mariadb_a, mariadb_b, apply={"via": via}), LIMITS)
