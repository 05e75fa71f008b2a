"""Benchmarks: ours beside the roofline, in one run on one machine. `make bench` prints the table that the docs quote."""
