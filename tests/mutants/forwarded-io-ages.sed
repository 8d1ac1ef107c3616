# After the I/O its time counts as the server's.
# test: forward
# file: driver/end.c
s/WRITE_ONCE(slot->start, jiffies);//
