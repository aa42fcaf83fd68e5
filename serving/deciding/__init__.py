"""A request or a candidate of the stream to its answer. Must not import api or background; knows no HTTP."""
