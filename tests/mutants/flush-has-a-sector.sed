# test: uapi
# file: driver/chan.h
s/desc->sector = ubdx_sector(rq);/desc->sector = blk_rq_pos(rq);/
