"""The benchmarks' own counting; how fast anything is, no test asserts."""
