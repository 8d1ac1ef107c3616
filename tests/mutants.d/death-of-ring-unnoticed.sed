# test: death
# file: driver/chan_uring.c
/void ubdx_uring_cancel/,/^}/s/ubdx_server_fail(srvq->srv);/;/
