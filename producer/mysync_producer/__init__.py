"""The producer service: binlog to Kafka."""
