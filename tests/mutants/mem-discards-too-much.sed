# Target mem also discards the page behind the range.
# test: filesystem-ext4
# file: userspace/targets/mem.c
/^\tcase UBDX_OP_DISCARD:/,/return 0;/ s/start + bytes)/start + bytes + 4096)/
