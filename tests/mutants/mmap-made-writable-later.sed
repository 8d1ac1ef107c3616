# test: uapi
# file: driver/chan.c
s/VM_MAYWRITE | VM_MAYEXEC/VM_MAYEXEC/
