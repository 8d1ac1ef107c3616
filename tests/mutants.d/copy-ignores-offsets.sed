# test: segments
# file: driver/xfer_copy.c
s/bvec_virt(&bv)/page_address(bv.bv_page)/
