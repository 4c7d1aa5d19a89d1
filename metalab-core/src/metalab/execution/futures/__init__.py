"""The futures executor: runs in the pools of other engines."""
