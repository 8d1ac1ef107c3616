# test: segments
# file: driver/xfer_map.c
s/run.pfns\[run.nr++\] = page_to_pfn(bv.bv_page);/run.pfns[run.nr++] = page_to_pfn(nr < 32 ? bv.bv_page : bio_page(slot->rq->bio));/
