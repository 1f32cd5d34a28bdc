"""A reader that isn't ours: Confluent's own deserializer, given nothing but the topic and the
address of the producer's schema endpoint, gets ordinary typed values."""

import json
import time
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from confluent_kafka import Consumer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from fix_pipeline import Replica
from mysync_lab.kafka import KafkaServer

TYPES = """
CREATE TABLE types (
  id INT PRIMARY KEY, big BIGINT UNSIGNED, amount DECIMAL(30,10), ratio DOUBLE, day DATE,
  at DATETIME(6), seen TIMESTAMP(3) NULL, name VARCHAR(40), raw VARBINARY(10), flags BIT(12),
  size ENUM('small', 'large'), tags SET('a', 'b', 'c'), doc JSON, took TIME(6), made YEAR
)
"""
ORDINARY = """
INSERT INTO types VALUES (1, 7, -12345678901234567890.0123456789, 0.1, '2024-02-29',
  '2024-02-29 12:34:56.789012', '2024-02-29 12:34:56.789', 'Žluťoučký 🐎', x'00FF', b'101',
  'large', 'a,c', '{"a": [1, null]}', '-01:02:03.000004', 2024)
"""
EXTREME = """
INSERT INTO types (id, big, day, at, seen) VALUES
  (2, 18446744073709551615, '0000-00-00', '2024-00-00 00:00:00', 0)
"""
Found = list[tuple[dict[str, Any] | None, dict[str, Any]]]


def read(topic: str, kafka: KafkaServer, registry: str, rows: int) -> Found:
    """(key, value) of the first row events, as the deserializer gives them."""
    consumer = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap,
            "group.id": f"{topic}-foreign",
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
        }
    )
    found: Found = []
    with closing(consumer), SchemaRegistryClient({"url": registry}) as client:
        deserialize = AvroDeserializer(client)
        consumer.subscribe([topic])
        deadline = time.monotonic() + 60
        while len(found) < rows:
            assert time.monotonic() < deadline, found
            message = consumer.poll(0.5)
            if message is None or message.error() is not None:
                continue
            key = deserialize(message.key(), SerializationContext(topic, MessageField.KEY))
            value = deserialize(message.value(), SerializationContext(topic, MessageField.VALUE))
            if "op" in value:
                found.append((key, value))
    return found


@pytest.fixture
def events(replica: Replica, kafka: KafkaServer) -> Found:
    """The source's rows as they are read, in source order."""
    replica.create(TYPES)
    producer = replica.pipeline.producer().start().wait_ready()
    with replica.source.connect(database=replica.db) as connection, connection.cursor() as cursor:
        cursor.execute("SET sql_mode = '', time_zone = '+00:00'")
        for statement in (ORDINARY, EXTREME, "UPDATE types SET name = 'x' WHERE id = 1"):
            cursor.execute(statement)
        cursor.execute("DELETE FROM types WHERE id = 2")
    found = read(f"{replica.pipeline.name}.rows", kafka, producer.url, rows=4)
    return sorted(found, key=lambda event: event[1]["source"]["seq"])


def test_confluents_deserializer_reads_keys_and_typed_rows(events: Found) -> None:
    (key, insert), (_, extreme), (_, update), (deleted, delete) = events
    assert [value["op"] for _, value in events] == ["c", "c", "u", "d"]
    assert key == {"id": 1}
    assert deleted == {"id": 2}
    row = insert["after"]
    assert insert["before"] is None
    assert json.loads(row.pop("doc")) == {"a": [1, None]}
    assert row == {
        "id": 1,
        "big": 7,
        "amount": Decimal("-12345678901234567890.0123456789"),
        "ratio": 0.1,
        "day": date(2024, 2, 29),
        "at": datetime(2024, 2, 29, 12, 34, 56, 789012),  # noqa: DTZ001 (a DATETIME has no zone)
        "seen": datetime(2024, 2, 29, 12, 34, 56, 789000, UTC),
        "name": "Žluťoučký 🐎",
        "raw": b"\x00\xff",
        "flags": b"\x00\x05",
        "size": "large",
        "tags": "a,c",
        "took": -3_723_000_004,
        "made": 2024,
    }
    # What the ordinary type can't hold comes as the column's other branch.
    row = extreme["after"]
    assert row["big"] == Decimal(18446744073709551615)
    assert (row["day"], row["at"]) == ("0000-00-00", "2024-00-00 00:00:00.000000")
    assert row["seen"] == "0000-00-00 00:00:00.000"
    assert row["name"] is None
    assert update["before"]["name"] == "Žluťoučký 🐎"
    assert update["after"]["name"] == "x"
    assert delete["before"]["big"] == Decimal(18446744073709551615)
    assert delete["after"] is None


def test_the_schemas_are_listed_as_a_registry_lists_them(replica: Replica) -> None:
    replica.create("CREATE TABLE items (id INT PRIMARY KEY, price DECIMAL(8,2) NOT NULL)")
    producer = replica.pipeline.producer().start().wait_ready()
    namespace = f"{replica.pipeline.name}.{replica.db}.items"
    with SchemaRegistryClient({"url": producer.url}) as client:
        subjects = client.get_subjects()
        assert {f"{namespace}.Key", f"{namespace}.Envelope"} <= set(subjects)
        latest = client.get_latest_version(f"{namespace}.Key")
        assert client.get_schema(latest.schema_id).schema_str == latest.schema.schema_str
    assert json.loads(latest.schema.schema_str or "")["name"] == "Key"
