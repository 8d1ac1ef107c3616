# Another image is no other input, so figures that it changes look like a bug.
# test: host:measurements
# file: experiments/lib/same.py
s/"inputs" if digests else "packages"/"packages"/
