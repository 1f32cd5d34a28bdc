"""SQL column types and, of each, literals at the edges: the data of test_rowcodec_types."""

from itertools import cycle

INTS = {
    f"{name}{sign}": [str(low), str(high), "0", "1", str(high // 2 + 1)]
    for name, bits in (
        ("TINYINT", 8),
        ("SMALLINT", 16),
        ("MEDIUMINT", 24),
        ("INT", 32),
        ("BIGINT", 64),
    )
    for sign, low, high in (
        ("", -(2 ** (bits - 1)), 2 ** (bits - 1) - 1),
        (" UNSIGNED", 0, 2**bits - 1),
    )
}


def decimals(precision: int, scale: int) -> list[str]:
    whole = precision - scale
    edges = [f"{'9' * whole}.{'9' * scale}", f"{'1' * whole or '0'}.{'0' * scale}1"]
    positive = ["0", "1", "0.5", *(edge.rstrip(".") for edge in edges)]
    return positive + [f"-{value}" for value in positive]


DECIMALS = {
    f"DECIMAL({precision},{scale})": decimals(precision, scale)
    for precision, scale in (
        *((1, 0), (1, 1), (5, 2), (9, 0), (9, 9), (10, 5), (18, 0), (18, 9), (18, 18), (19, 0)),
        *((19, 10), (20, 2), (27, 13), (30, 30), (38, 7), (65, 0), (65, 30)),
    )
}
FLOATS = {
    "FLOAT": ["0", "-0e0", "1.5", "-3.4028234e38", "1.17549435e-38", "1.4e-45", "0.1"],
    "DOUBLE": ["0", "-0e0", "0.1", "-1.7976931348623157e308", "2.2250738585072014e-308", "5e-324"],
}

DAYS = (
    *("0000-00-00", "2024-00-00", "2024-02-00", "0000-02-03", "2023-02-29", "2024-02-29"),
    *("1900-02-29", "2000-02-29", "2024-04-31", "0000-01-01", "0001-01-01", "1969-12-31"),
    *("1970-01-01", "9999-12-31", "2024-03-01", "2023-12-31", "1600-02-29", "2024-11-31"),
)
TIMES = ("00:00:00", "23:59:59", "12:34:56")
FRACTIONS = ("0", "000001", "999999", "100000", "012345")
MOMENTS = ("1970-01-01 00:00:01", "2038-01-19 03:14:06", "2001-09-09 01:46:40")
SPANS = ("00:00:00", "00:00:01", "23:59:59", "838:59:58", "100:00:00")
DATETIMES = [
    f"'{day} {time}.{fraction}'"
    for day, time, fraction in zip(DAYS * 3, cycle(TIMES), cycle(FRACTIONS), strict=False)
]
TIMESTAMPS = ["0", *(f"'{moment}.{fraction}'" for moment in MOMENTS for fraction in FRACTIONS)]
TEMPORALS = {
    "DATE": [f"'{day}'" for day in DAYS],
    "YEAR": ["0000", "1901", "2155", "2024"],
    **{f"DATETIME({fsp})": DATETIMES for fsp in range(7)},
    **{f"TIMESTAMP({fsp})": TIMESTAMPS for fsp in range(7)},
    **{
        f"TIME({fsp})": [
            *(f"'{sign}{span}.{f}'" for sign in ("", "-") for span in SPANS for f in FRACTIONS),
            *("'838:59:59'", "'-838:59:59'"),
        ]
        for fsp in range(7)
    },
}

ASCII = ["''", "'a'", "' a '", "'a\\0b'"]
EUROPEAN = [*ASCII, "'Ünïcödé €'"]
EMOJI = [*EUROPEAN, "'😀𐍈'", "REPEAT('😀', 20)", "_utf8mb4 x'efbfbf'", "_utf8mb4 x'f48fbfbf'"]
TEXTS = {
    f"{name} CHARACTER SET {charset}": values
    for charset, values in (
        ("utf8mb4", EMOJI),
        ("utf8mb3", EUROPEAN),
        ("latin1", EUROPEAN),
        ("ascii", ASCII),
    )
    for name in (
        *("CHAR(20)", "CHAR(0)", "CHAR(255)", "VARCHAR(20)", "VARCHAR(63)", "VARCHAR(64)"),
        *("VARCHAR(255)", "VARCHAR(256)", "TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT"),
    )
}
# Every byte that there is; `--` ends what the server sees, and makes the keys differ.
TEXTS["VARCHAR(16) CHARACTER SET latin1 -- all bytes"] = [
    f"x'{bytes(range(start, start + 16)).hex()}'" for start in range(0, 256, 16)
]
BINARIES = {
    name: ["''", "x'00'", "x'6100'", "x'00000000'", "x'ff'", "x'2020'", "x'20'"]
    for name in (
        *("BINARY(4)", "BINARY(0)", "BINARY(255)", "VARBINARY(4)", "VARBINARY(255)"),
        *("VARBINARY(256)", "TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB"),
    )
}
BITS = {
    f"BIT({bits})": ["0", "1", str(2**bits - 1), str(2 ** (bits - 1))]
    for bits in (1, 7, 8, 9, 31, 32, 33, 63, 64)
}


def numbered(count: int) -> str:
    return ",".join(f"'l{i}'" for i in range(count))


LABELS = {
    **{
        f"ENUM({labels}) CHARACTER SET {charset}": ["1", "2", "3", "'none'"]
        for charset in ("utf8mb4", "latin1", "utf8mb3")
        for labels in ("'a','ä','c d'", "'','b','it''s'", "'€','\\\\','x,y'")
    },
    **{
        f"SET({labels}) CHARACTER SET {charset}": [*map(str, range(8)), "''"]
        for charset in ("utf8mb4", "latin1")
        for labels in ("'a','ä','c'", "'','b','c'")
    },
    **{f"ENUM({numbered(count)})": ["0", "1", str(count)] for count in (1, 255, 256, 1000)},
    **{
        f"SET({numbered(count)})": ["0", "1", "5", str(2**count - 1), str(2 ** (count - 1))]
        for count in (3, 8, 9, 16, 17, 24, 25, 32, 33, 64)
    },
}
GEOMETRIES = {
    "GEOMETRY": ["ST_GeomFromText('POINT(1 2)')", "ST_GeomFromText('LINESTRING(0 0,1 1)', 4326)"],
    "POINT": ["ST_GeomFromText('POINT(-1.5 2)')"],
    "POLYGON": ["ST_GeomFromText('POLYGON((0 0,0 1,1 1,0 0))')"],
}
COMMON = INTS | DECIMALS | FLOATS | TEMPORALS | TEXTS | BINARIES | BITS | LABELS | GEOMETRIES

MYSQL_ONLY = {
    "JSON": [
        *("'null'", "'{}'", """'[1,-1,1.5,"ä",null,true,{"a":[]}]'""", "'18446744073709551615'"),
        *("JSON_OBJECT('u', CAST(1 AS UNSIGNED))", "JSON_ARRAY(CAST('2020-01-01' AS DATE), 1.50)"),
    ],
    "VECTOR(3)": ["TO_VECTOR('[1,2,3]')", "TO_VECTOR('[-1.5]')"],
}
LONG = ["REPEAT('a', 99)", "REPEAT('a', 100)", "REPEAT('€', 85)", "'ä'"]
RANDOM = ["CONCAT(SHA2('a', 512), SHA2('b', 512))", "UNHEX(REPEAT(SHA2('a', 512), 2))"]
# A COMPRESSED value is stored plain below 100 bytes, and where that is shorter.
COMPRESSED = {
    f"{name} COMPRESSED": values
    for names, values in (
        (
            ("VARCHAR(300) CHARACTER SET utf8mb4", "TINYTEXT CHARACTER SET utf8mb4"),
            [*ASCII, *LONG, "SHA2('a', 512)"],
        ),
        (
            ("TEXT CHARACTER SET utf8mb4", "LONGTEXT CHARACTER SET utf8mb4"),
            [*EMOJI, *LONG, "REPEAT('ab€', 13000)"],
        ),
        (("VARCHAR(300) CHARACTER SET latin1",), [*EUROPEAN, "REPEAT('ü', 300)", "x'818d'"]),
        (
            ("VARBINARY(20)", "VARBINARY(254)", "VARBINARY(255)"),
            ["''", "x'00'", "x'6100'", "REPEAT('a', 20)"],
        ),
        (("VARBINARY(300)", "TINYBLOB"), ["''", "x'00'", "REPEAT('a', 255)", RANDOM[1]]),
        (("BLOB", "MEDIUMBLOB"), ["''", "x'00'", "REPEAT('a', 60000)", *RANDOM]),
    )
    for name in names
}
MARIADB_ONLY = {
    **COMPRESSED,
    "INET6": ["'::'", "'2001:db8::ff00:42:8300'", "'::ffff:1.2.3.0'"],
    "INET4": ["'0.0.0.0'", "'1.2.3.0'", "'255.255.255.255'"],
    "UUID": ["'00000000-0000-0000-0000-000000000000'", "'123e4567-e89b-12d3-a456-426614174000'"],
    "JSON": ["""'{"b":1, "a":2}'""", "'null'"],
    "TEXT CHARACTER SET utf8mb4 -- surrogates": ["x'eda080'", "x'61edbfbf'"],
}
