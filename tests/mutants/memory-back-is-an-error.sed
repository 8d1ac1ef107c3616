# test: memory-limit
# file: driver/payload.h
# A page that could not be faulted in, and can be a moment later, counts as one that never can.
s/^\treturn !ret || ret == -ENOMEM || ret == -EINTR ? ret : -EFAULT;/\treturn ret == -ENOMEM ? ret : -EFAULT;/
