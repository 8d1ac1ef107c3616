# test: recovery
# file: userspace/lib/control.c
s/\*c = '?';/*c = *c;/
