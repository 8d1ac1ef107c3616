# test: shutdown
# file: userspace/cli/serve.c
s/bool asks = signal != SIGHUP;/bool asks = true;/
