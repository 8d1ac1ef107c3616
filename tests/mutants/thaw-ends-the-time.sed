# test: lateness
# file: driver/tick.c
s/return min((unsigned long)age, jiffies - READ_ONCE(ubdx_thawed))/return age/
