# Each comparison is taken as if it were the only one.
# test: host:measurements
# file: experiments/lib/inference.py
s/(len(p) - done) \* p\[i\]/p[i]/
