# A test that died, or whose kernel log wasn't clean, isn't counted as failed.
# test: host:measurements
# file: tests/counts.py
s/max(wrong, 1 if status else 0)/wrong/
