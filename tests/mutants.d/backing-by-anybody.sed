# test: uapi
# file: driver/backing.c
s/if (dev->srv && dev->srv->mm == current->mm)/if (dev->srv)/
