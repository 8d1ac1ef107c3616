# A run of some tests drops the results of all others.
# test: host:measurements
# file: tests/counts.py
s/if extent != "whole":$/if False:/
