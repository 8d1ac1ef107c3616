# A place between two logical blocks.
# test: forward
# file: driver/forward.c
s/if ((pos | bytes) \& backing->block_mask || /if (/
