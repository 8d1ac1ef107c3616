# test: modes
# file: driver/xfer_map.c
s/if (vma->vm_mm != sq->srv->mm)/if (false)/
