# test: windows
# file: driver/xfer_map.c
s/^\tif (start < end)$/\tif (start < end \&\& vma->vm_start + run->offset >= area)/
