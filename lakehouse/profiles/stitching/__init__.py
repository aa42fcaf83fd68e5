"""The identity graph in the lake: a micro-batch's part of it solved, written, rebuilt. The solver itself is lakehouse/identity."""
