"""Throughput and latency of the services as installed, on the lab's servers."""
