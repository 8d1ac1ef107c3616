# libubdx forwards a request again that the driver could not forward.
# test: forward
# file: userspace/lib/chan_uring.c
s/io->refused = true;/io->refused = false;/
