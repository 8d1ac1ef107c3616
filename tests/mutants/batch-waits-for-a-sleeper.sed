# test: batches
# file: driver/end.c
s/list_add(&cb->list, &plug->cb_list);//
