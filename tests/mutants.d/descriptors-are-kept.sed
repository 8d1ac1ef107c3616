# test: reload
# file: driver/server.c
s/free_pages((unsigned long)sq->desc, sq->desc_order);/;/
