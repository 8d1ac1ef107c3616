# A target gets more of a READ's payload than it wants to inspect.
# test: unit:steps
# file: userspace/lib/inspect.c
s/length < left ? length : left/left ? length : left/
