"""Rows written on the source arrive on the target, exactly, and so do their changes."""

from fix_pipeline import Replica

PEOPLE = """
CREATE TABLE people (
  id INT PRIMARY KEY, name VARCHAR(40), balance DECIMAL(12,2), seen DATETIME(6), doc JSON
)
"""


def test_inserts_updates_and_deletes_arrive(replica: Replica) -> None:
    replica.create(PEOPLE)
    replica.start()
    replica.on_source(
        *(
            f"INSERT INTO people VALUES ({i}, 'name {i}', {i}.25, '2024-02-29 12:00:00.000001',"
            f" JSON_OBJECT('i', {i}))"
            for i in range(50)
        ),
        "UPDATE people SET balance = balance * 2 WHERE id % 2 = 0",
        "DELETE FROM people WHERE id % 5 = 0",
        "UPDATE people SET id = id + 1000 WHERE id % 7 = 0",
        "INSERT INTO people (id) VALUES (0), (5)",
    )
    replica.catch_up()
    replica.assert_equal()


def test_both_services_end_cleanly_on_sigterm_and_go_on_where_they_were(replica: Replica) -> None:
    replica.create(PEOPLE)
    producer, consumer = replica.start()
    replica.on_source("INSERT INTO people (id) VALUES (1)")
    replica.catch_up()
    assert producer.stop() == 0
    assert consumer.stop() == 0
    replica.on_source("INSERT INTO people (id) VALUES (2)", "DELETE FROM people WHERE id = 1")
    producer.start()
    consumer.start()
    replica.catch_up()
    replica.assert_equal()
