# test: death-matrix
# file: driver/tick.c
s/ubdx_server_kill(srvq->srv);/;/
