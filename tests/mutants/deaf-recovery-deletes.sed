# test: recovery
# file: userspace/cli/serve.c
s/if (ret \&\& s->is_new)/if (ret)/
