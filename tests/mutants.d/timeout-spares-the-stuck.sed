# test: death-matrix
# file: driver/tick.c
s/ubdx_server_kill(sq->srv);/;/
