# test: modes
# file: driver/xfer_map.c
s/if (vma->vm_mm != srvq->srv->mm)/if (false)/
