# test: uapi
# file: driver/ctl.c
s/ctl.flags \& UBDX_CTL_OWN ? current->mm : NULL/NULL/
