# test: death
# file: driver/chan.c
/void ubdx_chan_cancel/,/^}/s/ubdx_server_fail(srvq->srv);/;/
