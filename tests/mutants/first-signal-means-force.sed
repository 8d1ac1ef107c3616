# test: shutdown
# file: userspace/cli/serve.c
s/bool force = s->asked && asks;/bool force = asks;/
