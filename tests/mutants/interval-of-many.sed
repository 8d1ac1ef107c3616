# Intervals of twelve boots are as narrow as those of many.
# test: host:measurements
# file: experiments/lib/inference.py
s/reach = t_quantile(1 - LEVEL, n - 1)/reach = 1.96/
