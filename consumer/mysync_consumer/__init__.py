"""The consumer service: Kafka to the target server."""
