# The list of calls that can fail is empty.
# test: faults
# file: tests/guest/lib/sites
s/^objdump -dr/objdump -d/
