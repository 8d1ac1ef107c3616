# test: uapi
# file: driver/server.c
s/VM_MAYWRITE | VM_MAYEXEC/VM_MAYEXEC/
