# test: uapi
# file: driver/chan.c
s/(struct ubdx_server \*srv, u64 qid)/(struct ubdx_server *srv, u16 qid)/
