"""`make demo`: a shop's rows from one real server through Kafka to another, under fire."""
