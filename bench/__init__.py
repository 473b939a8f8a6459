"""Benchmarks: Onepath beside a peer or a physical limit, in one run on one machine; medians and ratios are printed."""
