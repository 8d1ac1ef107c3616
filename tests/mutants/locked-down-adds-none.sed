# A kernel that is locked down gets no device.
# test: lockdown
# file: driver/ctl.c
/^#include <linux\/uaccess.h>/a #include <linux/security.h>
/^\tif (copy_from_user(&add, arg, sizeof(add)))/i \	if (security_locked_down(LOCKDOWN_DEV_MEM))\n\t\treturn -EPERM;
