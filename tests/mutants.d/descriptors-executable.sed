# test: fuzz
# file: driver/server.c
s/(VM_WRITE | VM_EXEC)/VM_WRITE/
