# test: uapi
# file: driver/chan.c
s/(VM_WRITE | VM_EXEC)/VM_EXEC/
