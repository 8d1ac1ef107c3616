# test: uapi
# file: driver/target_info.c
s/if (dev->srv && dev->srv->mm == current->mm)/if (dev->srv)/
