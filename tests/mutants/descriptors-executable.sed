# test: fuzz
# file: driver/chan.c
s/(VM_WRITE | VM_EXEC)/VM_WRITE/
