"""Rows from the topics arrive on the target, in order, whenever the consumer comes."""

from fix_topics import Stage


def test_inserts_updates_deletes_and_key_changes_arrive(stage: Stage) -> None:
    stage.ready()
    for seed in range(5):
        with stage.writer:
            stage.load(seed, 200)
    stage.wait_applied()
    stage.assert_items()


def test_a_consumer_that_starts_late_finds_everything(stage: Stage) -> None:
    for seed in range(3):
        with stage.writer:
            stage.load(seed, 1000)
    stage.ready()
    stage.wait_applied()
    stage.assert_items()
