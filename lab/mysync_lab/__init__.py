"""Real servers for the demo, the tests and the benchmarks: nothing is mocked."""
