# test: recovery
# file: driver/server.c
/^void ubdx_server_fail/,/^}/s/ubdx_server_declare_dead(srv);/;/
