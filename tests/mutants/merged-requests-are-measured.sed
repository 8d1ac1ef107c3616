# Requests that the block layer merged are measured as if they weren't.
# test: host:measurements
# file: experiments/compare/measure.py
s/if served != expected:/if served[0] + served[3] > sent:/
