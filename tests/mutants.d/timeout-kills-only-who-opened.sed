# test: corners
# file: driver/server.c
/^void ubdx_server_kill/,/^}/s/i < srv->nr_queues/i < 0/
