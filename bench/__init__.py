"""Benchmarks: from audio in to audio out, with the machine, the spread and the misses in the report."""
