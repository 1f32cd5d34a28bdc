"""Rows too large for one message are applied whole, or not at all."""

from fix_topics import MakeStage

TABLE = "CREATE TABLE big (id INT PRIMARY KEY, data LONGBLOB)"


def test_large_rows_are_put_together_and_the_checkpoint_never_stands_within_one(
    make_stage: MakeStage,
) -> None:
    stage = make_stage(topics={"partitions": 1}, apply={"queue_bytes": 256 * 1024}).begin(TABLE)
    writer = stage.writer
    writer.part_bytes = 900_000
    table = f"{stage.db}.big"
    consumer = stage.ready()
    sizes = (10, 5_000_000, 900_000, 24_000_000, 100)
    for id_, size in enumerate(sizes):
        with writer:
            writer.insert(table, {"id": id_, "data": bytes([65 + id_]) * size})
    with writer:
        writer.update(
            table, {"id": 1, "data": b"B" * 5_000_000}, {"id": 1, "data": b"x" * 3_000_000}
        )
        writer.delete(table, {"id": 3, "data": b"D" * 24_000_000})
    stage.wait_applied(60)
    found = stage.sql("SELECT id, LENGTH(data), LEFT(data, 1) FROM big")
    assert sorted(found) == [
        (0, 10, b"A"),
        (1, 3_000_000, b"x"),
        (2, 900_000, b"C"),
        (4, 100, b"E"),
    ]
    assert consumer.peak_rss() < 400e6
