# test: reload
# file: driver/server.c
s/free_pages((unsigned long)srvq->desc, srvq->desc_order);/;/
