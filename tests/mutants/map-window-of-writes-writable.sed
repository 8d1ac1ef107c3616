# test: modes
# file: driver/xfer_map.c
s/ || !(vma->vm_flags & VM_WRITE) != write//
