# The figure of the replicates has panels for targets that weren't measured.
# test: host:measurements
# file: experiments/compare/figure.py
s/for target in TARGETS if not compared else ():/for target in TARGETS:/
s/    if not names:/    if names is None:/
