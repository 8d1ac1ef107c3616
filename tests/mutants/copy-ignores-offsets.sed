# test: segments
# file: driver/payload.h
s/bvec_virt(&bv)/page_address(bv.bv_page)/
